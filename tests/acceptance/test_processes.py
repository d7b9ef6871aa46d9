"""Two servers and a worker on PostgreSQL and Redis, as on two hosts: one desk. Any of them may be killed, and Redis may
stop and come back: what was acknowledged is there once, and every view shows it once and in order."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psycopg
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from chat.ids import new_id
from tests.support.databases import PostgresMaker
from tests.support.servers import RedisServer
from tests.support.serving import Desk, Process

WITHIN = 30.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of this test alone: it is stopped and started."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis: RedisServer) -> AsyncIterator[Desk]:
    desk = Desk(postgres_maker.make(empty=True), redis.url)
    try:
        await asyncio.to_thread(desk.command, "migrate")
        await asyncio.to_thread(
            desk.command, "site", "add", "--key", "polaris", "--name", "P", "--origin", "https://p.example"
        )
        yield desk
    finally:
        await asyncio.to_thread(desk.remove)


@dataclass
class View:
    """A client that does what the widget and the console do: an outbox, a cursor, coming back."""

    desk: Desk
    processes: list[Process]
    token: str = ""
    conversation: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    unsent: dict[str, str] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    socket: ClientConnection | None = None
    link: str = ""
    browser: httpx2.AsyncClient | None = None
    attended: bool = False
    retirements: int = 0

    async def live(self) -> None:
        """Until cancelled: connect somewhere, resume, listen; when it breaks, elsewhere."""
        turn = 0
        while True:
            process = self.processes[turn % len(self.processes)]
            turn += 1
            try:
                await self._once(process)
            except (OSError, websockets.WebSocketException, httpx2.HTTPError, KeyError):
                self.socket = None
                await asyncio.sleep(0.1)  # a pause before the next server, as the browser makes one

    async def _once(self, process: Process) -> None:
        path = "/console/socket" if self.link else "/w/polaris/socket"
        address = process.base_url.replace("http", "ws", 1) + path
        first = await self._attend(process) if self.link else self._hello()
        async with connect(address, origin=websockets.Origin(self.desk.base_url), open_timeout=5) as socket:
            await socket.send(json.dumps(first))
            self.socket = socket
            async for text in socket:
                await self._take(json.loads(text))
        self.socket = None

    def _hello(self) -> dict[str, Any]:
        last = self.shown[-1]["seq"] if self.shown else 0
        known = {"token": self.token, "conversation": self.conversation, "last_seen": last} if self.conversation else {}
        return {"type": "hello", "site": "polaris", **known}

    async def _attend(self, process: Process) -> dict[str, Any]:
        if self.browser is None:
            self.browser = httpx2.AsyncClient(headers={"Sec-Fetch-Site": "same-origin"}, timeout=5)
            secret = self.link.rpartition("/")[2]
            await self.browser.post(f"{process.base_url}/console/sign-in/{secret}")
        answer = await self.browser.post(f"{process.base_url}/console/socket-pass")
        return {"type": "attend", "socket_pass": answer.json()["socket_pass"]}

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "beat":
                await self.send("beat")
            case "offered":
                self.conversation = frame["conversation"]
                await self._open()
            case "attended" if self.conversation:
                await self._open()
            case "welcomed" | "attended":
                pass
            case "retired":
                self.retirements += 1
                if self.socket is not None:
                    await self.socket.close()
            case "enrolled":
                self.token = frame["token"]
            case "started":
                self.conversation = frame["conversation"]["id"]
            case "said" | "paged" if frame.get("stream", "public") == "public":
                await self._show(frame)
        if frame["type"] in ("welcomed", "paged"):
            await self._resend()
        async with self.news:
            self.attended = self.attended or frame["type"] == "attended"
            self.news.notify_all()

    async def _open(self) -> None:
        last = self.shown[-1]["seq"] if self.shown else 0
        await self.send("open", conversation=self.conversation, last_seen=last)

    async def _show(self, frame: dict[str, Any]) -> None:
        for entry in frame["entries"]:
            if entry["seq"] <= (self.shown[-1]["seq"] if self.shown else 0):
                continue  # shown already: the cursor says so, as in the browser
            self.shown.append(entry)
            self.unsent.pop(entry.get("ref", ""), None)
        if frame.get("more"):
            await self.send("fetch", conversation=self.conversation, after=self.shown[-1]["seq"])

    async def _resend(self) -> None:
        if self.conversation:
            for ref, text in list(self.unsent.items()):
                await self.send("say", conversation=self.conversation, ref=ref, text=text)

    async def send(self, kind: str, **fields: Any) -> None:
        if self.socket is not None:
            try:
                await self.socket.send(json.dumps({"type": kind, **fields}))
            except websockets.ConnectionClosed:
                return  # it is in the outbox

    async def say(self, text: str) -> None:
        ref = f"ref-{new_id().hex}"
        self.unsent[ref] = text
        await self.send("say", conversation=self.conversation, ref=ref, text=text)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(WITHIN), self.news:
                await self.news.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"never: {what}; {self.unsent=} {len(self.shown)=}") from None

    def texts(self) -> list[str]:
        return [entry["text"] for entry in self.shown if entry["kind"] == "message"]


async def begin(ann: View, omar: View) -> None:
    await omar.until(lambda: omar.attended, "Omar attends")
    await ann.until(lambda: ann.socket is not None, "Ann is connected")
    await ann.send("enroll")
    await ann.until(lambda: bool(ann.token), "a token")
    await ann.send("start", ref=f"ref-{new_id().hex}", text="message 0")
    await ann.until(lambda: bool(ann.conversation), "a conversation")
    await omar.until(lambda: "message 0" in omar.texts(), "Omar sees the first words")


def rows_of(url: str, conversation: str) -> list[tuple[int, str]]:
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        found = connection.execute(
            "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
            (conversation,),
        )
        return [(int(row[0]), str(row[1])) for row in found.fetchall()]


def check(ann: View, omar: View, rows: list[tuple[int, str]], said: list[str]) -> None:
    """Lost, doubled, reordered, holes: none of them, in the database and in both views."""
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    stored = [text for _, text in rows if text]
    assert sorted(stored) == sorted(said)
    for view in (ann, omar):
        assert [entry["seq"] for entry in view.shown] == list(range(1, len(rows) + 1))
        assert view.texts() == stored
        assert not view.unsent


async def test_a_server_killed_in_mid_conversation_and_redis_away_lose_double_and_reorder_nothing(
    desk: Desk, redis: RedisServer
) -> None:
    first, second = [await asyncio.to_thread(desk.serve) for _ in range(2)]
    link = json.loads(desk.command("operator", "add", "--email", "omar@desk.example", "--name", "Omar", "--json"))[
        "sign_in"
    ]
    ann = View(desk, [first, second])
    omar = View(desk, [second, first], link=link)
    living = [asyncio.create_task(view.live()) for view in (ann, omar)]
    said = ["message 0"]

    async def talk(count: int) -> None:
        for _ in range(count):
            for view in (ann, omar):
                text = f"message {len(said)}"
                said.append(text)
                await view.say(text)

    async def settled(what: str) -> None:
        for view in (ann, omar):
            await view.until(lambda view=view: len(view.texts()) == len(said) and not view.unsent, what)  # type: ignore[misc]

    try:
        await begin(ann, omar)
        await talk(4)
        await settled("all heard on two servers")

        await talk(2)
        await asyncio.to_thread(first.end, signal.SIGKILL)
        await talk(2)
        await settled("all heard after a server was killed")
        await asyncio.to_thread(first.start)

        await asyncio.to_thread(second.end, signal.SIGKILL)
        await talk(2)
        await settled("all heard after the other was killed")
        await asyncio.to_thread(second.start)

        for process in (first, second):
            await talk(1)
            await asyncio.to_thread(process.end, signal.SIGTERM)
            await talk(1)
            await settled("all heard over a restart")
            await asyncio.to_thread(process.start)
        assert ann.retirements + omar.retirements >= 2

        await asyncio.to_thread(redis.kill)
        await talk(3)
        await settled("all heard without Redis")
        await asyncio.to_thread(redis.start)
        await talk(3)
        await settled("all heard with Redis back")
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        if omar.browser is not None:
            await omar.browser.aclose()
    url = desk.environment()["NIGHTDESK_DATABASE_URL"]
    check(ann, omar, await asyncio.to_thread(rows_of, url, ann.conversation), said)


async def test_a_message_left_is_made_a_ticket_by_the_worker(desk: Desk) -> None:
    server = await asyncio.to_thread(desk.serve)
    await asyncio.to_thread(desk.work)
    ann = View(desk, [server])
    living = asyncio.create_task(ann.live())
    try:
        await ann.until(lambda: ann.socket is not None, "Ann is connected")
        await ann.send("enroll")
        await ann.until(lambda: bool(ann.token), "a token")
        await ann.send(
            "leave", ref=f"ref-{new_id().hex}", email="ann@novak-atelje.si", text="Call me about the invoice"
        )
        await ann.until(lambda: any(entry["kind"] == "card" for entry in ann.shown), "a ticket card")
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


def test_behind_head_postgresql_is_refused_with_what_to_do(postgres_maker: PostgresMaker, redis: RedisServer) -> None:
    desk = Desk(postgres_maker.make(empty=True), redis.url)
    try:
        with pytest.raises(RuntimeError, match="nightdesk migrate"):
            desk.command("worker")
    finally:
        desk.remove()
