"""The whole program on a free port of this machine, in the test's own loop, and clients that speak its wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import websockets
from websockets.asyncio.client import ClientConnection

from chat.app import Nightdesk
from chat.clock import Clock
from chat.hub.bus import Bus
from chat.ids import new_id
from chat.listening import listening_socket
from chat.migrations import schema
from chat.people.models import Operator, Site
from chat.people.operators import Operators
from chat.program import ensure_departments
from chat.server import config_of
from chat.settings import Settings, load_settings

Frame = dict[str, Any]


class Running:
    """A running program: its address, and people at it."""

    def __init__(self, desk: Nightdesk, settings: Settings) -> None:
        self.desk = desk
        self.settings = settings
        self.base_url = settings.base_url
        self.site_key = ""
        self.clients: list[Client] = []
        self.browsers: list[httpx2.AsyncClient] = []
        """Closed at the end."""
        self.server: uvicorn.Server

    async def operator(self, name: str = "Ana", **more: Any) -> Operator:
        operators = Operators(self.desk.db, self.desk.clock, self.desk.sign_in.passwords)
        return await operators.create(email=f"{name.lower()}-{new_id()}@desk.example", name=name, **more)

    async def signed_in(self, operator: Operator) -> httpx2.AsyncClient:
        """A browser that used a sign-in link."""
        browser = httpx2.AsyncClient(base_url=self.base_url, headers={"Sec-Fetch-Site": "same-origin"})
        answer = await browser.post(await self.desk.sign_in.make_link(operator.id))
        if answer.status_code != 303:
            raise RuntimeError(f"sign-in answered {answer.status_code}")
        return browser

    async def console(self, operator: Operator) -> "Client":
        browser = await self.signed_in(operator)
        answer = await browser.post("/console/socket-pass")
        client = await Client.connect(self, "/console/socket")
        await client.send("attend", socket_pass=answer.json()["socket_pass"])
        await client.until("attended")
        client.browser = browser
        return client

    async def visitor(self, **hello: Any) -> "Client":
        client = await Client.connect(self, f"/w/{self.site_key}/socket")
        await client.send("hello", site=self.site_key, **hello)
        client.welcomed = await client.until("welcomed")
        return client

    async def visitor_who_said(self, text: str = "Hello there") -> "Client":
        client = await self.visitor()
        await client.begin(text)
        return client


class Client:
    """A socket and everything it was sent; `until` waits for a frame that fits."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []
        self.beats = 0
        self.token = ""
        self.conversation = ""
        self.welcomed: Frame = {}
        self.browser: httpx2.AsyncClient | None = None
        self._news = asyncio.Condition()
        self._taken = 0
        self.closed = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, running: Running, path: str, origin: str | None = None) -> "Client":
        address = running.base_url.replace("http", "ws", 1) + path
        wanted: Any = running.base_url if origin is None else origin
        client = cls(await websockets.connect(address, origin=wanted))
        running.clients.append(client)
        return client

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                frame = json.loads(text)
                if frame["type"] == "beat":
                    await self.socket.send('{"type":"beat"}')
                    async with self._news:
                        self.beats += 1
                        self._news.notify_all()
                    continue
                async with self._news:
                    self.frames.append(frame)
                    self._news.notify_all()
        except websockets.ConnectionClosed:
            return
        finally:
            async with self._news:
                self.closed = True
                self._news.notify_all()

    async def send(self, kind: str, /, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str, fits: Callable[[Frame], bool] = lambda _frame: True, seconds: float = 10) -> Frame:
        """The first frame of this kind that fits, among those since the last call or yet to come."""

        def found() -> int | None:
            for place in range(self._taken, len(self.frames)):
                if self.frames[place]["type"] == kind and fits(self.frames[place]):
                    return place
            return None

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: found() is not None or self.closed)
        place = found()
        if place is None:
            raise AssertionError(f"closed before {kind}: {self.socket.close_code}; {self.frames[self._taken :]}")
        self._taken = place + 1
        return self.frames[place]

    async def ask(self) -> None:
        """Whether anybody is there: waits until the answer comes."""
        before = self.beats
        await self.send("beat", ask=True)
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.beats > before)

    async def close_code(self, seconds: float = 10) -> int:
        async with asyncio.timeout(seconds):
            await self.socket.wait_closed()
        return self.socket.close_code or 0

    async def begin(self, text: str, ref: str = "") -> None:
        await self.send("enroll")
        self.token = (await self.until("enrolled"))["token"]
        await self.send("start", ref=ref or f"ref-{new_id().hex}", text=text)
        self.conversation = (await self.until("started"))["conversation"]["id"]

    async def say(self, text: str, ref: str = "", conversation: str = "") -> Frame:
        """Says it and waits for the acknowledgement; the entry."""
        ref = ref or f"ref-{new_id().hex}"
        await self.send("say", ref=ref, text=text, conversation=conversation or self.conversation)
        frame = await self.until("said", lambda frame: any(one.get("ref") == ref for one in frame["entries"]))
        entry: Frame = next(one for one in frame["entries"] if one.get("ref") == ref)
        return entry

    def entries(self, stream: str = "public") -> list[Frame]:
        """All entries this view has shown, in the order of arrival."""
        kinds = {"public": "said", "internal": "noted"}
        return [
            entry
            for frame in self.frames
            if frame["type"] == kinds[stream] or (frame["type"] == "paged" and frame["stream"] == stream)
            for entry in frame["entries"]
        ]

    def stop_answering(self) -> None:
        """The line stays, and nothing comes from here any more."""
        self._reader.cancel()

    async def leave(self) -> None:
        await self.socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self.browser is not None:
            await self.browser.aclose()


@asynccontextmanager
async def program(
    folder: Path,
    database_url: str | None = None,
    bus: Bus | None = None,
    clock: Clock | None = None,
    port: int = 0,
    works: bool | None = None,
    **more: Any,
) -> AsyncIterator[Running]:
    """Runs until the block ends; a site `polaris` and the shipped departments are there. Without `works` a test says
    itself when the outbox is carried out."""
    sock = listening_socket("127.0.0.1", port)
    address = f"127.0.0.1:{sock.getsockname()[1]}"
    settings = load_settings(
        {},
        listen=address,
        data_dir=folder,
        database_url=database_url,
        secret_key="a key for tests only, thirty-two characters",
        assets="source",
        **{
            "base_url": f"http://{address}",
            "sockets_per_address": 10_000,
            "attempts_per_minute": 10_000,
            "conversations_per_hour": 10_000,
        }
        | more,
    )
    desk = Nightdesk(settings, bus=bus, clock=clock, works=works)
    if database_url is None:
        await schema.migrate(desk.db)
    await ensure_departments(desk.db)
    running = Running(desk, settings)
    running.site_key = f"polaris-{new_id().hex[-12:]}"
    async with desk.db.write() as session:
        session.add(
            Site(
                id=new_id(),
                key=running.site_key,
                name="Polaris",
                origins=["https://www.polaris.example"],
                settings={},
                created_at=desk.clock.now(),
            )
        )
    running.server = server = uvicorn.Server(config_of(desk.starlette(), settings))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(20), httpx2.AsyncClient() as http:
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(0.01)  # the server offers no event to wait for
            await http.get(f"{running.base_url}/healthz")
        yield running
    finally:
        for client in running.clients:
            await client.leave()
        for browser in running.browsers:
            await browser.aclose()
        server.should_exit = True
        await serving
        sock.close()
