"""A small world for model-based tests: the widget's own code in tabs, two servers on one database, and between them a
network and a bus that lose, double and reorder what a story says."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Coroutine, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakSet

from sqlalchemy import select

from chat.app import Nightdesk
from chat.clock import Clock
from chat.conversations.entry import Author
from chat.conversations.models import Message
from chat.db import table_of
from chat.hub.bus import Hint
from chat.hub.memory_bus import MemoryBroker, MemoryWire
from chat.hub.process_bus import ProcessBus
from chat.hub.wire import Pace
from chat.ids import new_id
from chat.people.models import Site
from chat.program import ensure_departments
from chat.settings import load_settings
from tests.support.clock import FakeClock
from tests.support.tabs import Tabs

ORIGIN = "http://127.0.0.1:8000"
QUIET_SECONDS = 0.01
HEALED_WITHIN = 150
"""Seconds by the tabs' clock"""
OPERATOR = UUID(int=7)

running_on: ContextVar[str] = ContextVar("running_on", default="")


class UnreliableWire(MemoryWire):
    """Holds what arrives until the story says what becomes of it."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.waiting: list[tuple[bytes, bytes]] = []
        self.is_healed = False

    def deliver(self, channel: bytes, data: bytes) -> None:
        if self.is_healed:
            super().deliver(channel, data)
        else:
            self.waiting.append((channel, data))

    def let_through(self, place: int) -> None:
        super().deliver(*self.waiting[place])

    def heal(self) -> None:
        """What was held is lost: gossip and sweep have to find it."""
        self.waiting.clear()
        self.is_healed = True


class UnreliableBus(ProcessBus):
    def __init__(self, broker: MemoryBroker) -> None:
        self.wire = UnreliableWire(broker)
        self.look_again: Callable[[], None] = lambda: None
        super().__init__(self.wire, "", prefix="", pace=Pace())

    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None:
        self.look_again = on_gap
        await super().start(on_hint, on_gap)


@dataclass(eq=False)
class Link:
    """A socket of a tab: what is on its way up and down, and the server it leads to."""

    tab: str
    number: int
    up: deque[str] = field(default_factory=deque)
    down: deque[str] = field(default_factory=deque)
    code: int | None = None
    """With which the server closed it; the tab hears of it after what is on its way down."""
    server: "Server | None" = None
    inbox: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    served: asyncio.Task[None] | None = None


class Server:
    """One process: its tasks are known, so that it can be killed in the middle of anything."""

    def __init__(self, name: str, folder: Path, database_url: str, broker: MemoryBroker, clock: Clock) -> None:
        self.name = name
        self.bus = UnreliableBus(broker)
        settings = load_settings(
            {},
            base_url=ORIGIN,
            data_dir=folder,
            database_url=database_url,
            secret_key="a key for tests only, thirty-two characters",
            assets="source",
            sockets_per_address=10_000,
            attempts_per_minute=100_000,
            conversations_per_hour=100_000,
        )
        self.desk = Nightdesk(settings, bus=self.bus, clock=clock)
        self.app = self.desk.starlette()
        self.links: set[Link] = set()

    async def start(self) -> None:
        running_on.set(self.name)
        await self.desk.start()


class World:
    def __init__(self, tabs: Tabs, folder: Path, database_url: str) -> None:
        self.tabs = tabs
        self.links: list[Link] = []
        self.news = asyncio.Event()
        self._folder = folder
        self._database_url = database_url
        self._broker = MemoryBroker()
        self.clock = FakeClock()
        """Of tabs and servers alike: the paces of both are the same seconds."""
        self._started = 0
        self._tasks: dict[str, WeakSet[asyncio.Task[Any]]] = {}
        self.servers: list[Server] = []
        self.said: list[str] = []
        self.answered: list[str] = []
        self.site = f"polaris-{new_id().hex[-12:]}"

    async def begin(self) -> None:
        asyncio.get_running_loop().set_task_factory(self._task)
        self.servers = [await self._server(), await self._server()]
        desk = self.servers[0].desk
        await ensure_departments(desk.db)
        async with desk.db.write() as session:
            session.add(
                Site(id=new_id(), key="polaris", name="P", origins=[ORIGIN], settings={}, created_at=desk.clock.now())
            )
        self.tabs.do("reset")

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        self._tasks.setdefault(running_on.get(), WeakSet()).add(task)
        return task

    async def _server(self) -> Server:
        self._started += 1
        server = Server(f"server {self._started}", self._folder, self._database_url, self._broker, self.clock)
        await asyncio.create_task(server.start())
        return server

    async def kill(self, place: int) -> None:
        """As kill -9 does it: nothing is finished, nobody is told; another one starts in its place."""
        server = self.servers[place]
        server.bus.wire.heal()
        await server.bus.stop()
        for link in list(server.links):
            self._break(link)
        tasks = [task for task in self._tasks.pop(server.name, ()) if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.desk.db.close()
        self.servers[place] = await self._server()

    # ── the network ──────────────────────────────────────────────────────────────────────────────────────────────

    def do(self, what: str, **more: Any) -> None:
        for one in self.tabs.do(what, **more):
            self._happened(one)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.do("advance", ms=round(seconds * 1000))

    def _happened(self, one: dict[str, Any]) -> None:
        if one["kind"] == "dialled":
            self.links.append(Link(one["tab"], one["socket"]))
            return
        link = next((link for link in self.links if link.number == one["socket"]), None)
        if link is None:
            return
        if one["kind"] == "sent":
            link.up.append(one["text"])
        elif one["kind"] == "left":
            self._break(link)

    def connect(self, link: Link, place: int) -> None:
        """The dial reaches a server."""
        if link.server is not None:
            return
        link.server = self.servers[place]
        link.server.links.add(link)
        link.inbox.put_nowait({"type": "websocket.connect"})
        link.served = asyncio.create_task(self._serve(link, link.server))

    async def _serve(self, link: Link, server: Server) -> None:
        running_on.set(server.name)

        async def send(message: MutableMapping[str, Any]) -> None:
            self.news.set()
            if message["type"] == "websocket.accept":
                self.do("opened", tab=link.tab, socket=link.number)
            elif message["type"] == "websocket.send":
                link.down.append(message["text"])
            elif message["type"] == "websocket.close" and link.code is None:
                link.code = message.get("code", 1000)

        async def receive() -> dict[str, Any]:
            return await link.inbox.get()

        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "path": "/w/polaris/socket",
            "raw_path": b"/w/polaris/socket",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1:8000"), (b"origin", ORIGIN.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        # A task of its own, so that it is one of the server's and dies with it.
        await asyncio.gather(asyncio.create_task(_run(server.app(scope, receive, send))), return_exceptions=True)
        link.code = link.code if link.code is not None else 1006
        self.news.set()

    def carry_up(self, link: Link, count: int) -> None:
        for _ in range(min(count, len(link.up))):
            if link.server is not None:
                link.inbox.put_nowait({"type": "websocket.receive", "text": link.up.popleft()})

    def carry_down(self, link: Link, count: int) -> None:
        for _ in range(min(count, len(link.down))):
            self.do("heard", tab=link.tab, socket=link.number, text=link.down.popleft())
        if not link.down and link.code is not None and link in self.links:
            self._forget(link)
            self.do("broke", tab=link.tab, socket=link.number, code=link.code)

    def cut(self, link: Link) -> None:
        """What was on its way is lost, both ways; both sides find out."""
        self._break(link)
        self.do("broke", tab=link.tab, socket=link.number, code=1006)

    def _break(self, link: Link) -> None:
        self._forget(link)
        link.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def _forget(self, link: Link) -> None:
        if link in self.links:
            self.links.remove(link)
        if link.server is not None:
            link.server.links.discard(link)

    async def settle(self) -> None:
        """Until nothing has happened for a moment: what was carried has had its effects."""
        quiet = False
        while not quiet:
            self.news.clear()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self.news.wait()
            except TimeoutError:
                quiet = True

    # ── what people do ───────────────────────────────────────────────────────────────────────────────────────────

    def say(self, tab: str) -> None:
        text = f"word {len(self.said) + 1}"
        self.said.append(text)
        self.do("say", tab=tab, text=text)

    async def answer(self, place: int) -> None:
        """An operator says something in the newest conversation."""
        conversation = await self._newest()
        if conversation is None:
            return
        text = f"answer {len(self.answered) + 1}"
        author = Author("operator", OPERATOR, "Ana")
        await self.servers[place].desk.conversations.say(conversation, author, text, f"answer-{new_id().hex}")
        self.answered.append(text)

    async def _newest(self) -> UUID | None:
        rows = table_of(Message)
        async with self.servers[0].desk.db.read() as session:
            found = await session.execute(select(rows.c.conversation_id).order_by(rows.c.id.desc()).limit(1))
            return found.scalar_one_or_none()

    # ── the judgement ────────────────────────────────────────────────────────────────────────────────────────────

    async def log(self) -> dict[str, list[tuple[int, str, str]]]:
        """Conversation -> its public entries in order: seq, ref, text."""
        rows = table_of(Message)
        async with self.servers[0].desk.db.read() as session:
            found = await session.execute(select(rows).where(rows.c.stream == "public").order_by(rows.c.seq))
            log: dict[str, list[tuple[int, str, str]]] = {}
            for row in found:
                log.setdefault(str(row.conversation_id), []).append((row.seq, row.ref or "", row.text))
        return log

    def check(self, log: dict[str, list[tuple[int, str, str]]], tab: str) -> dict[str, Any]:
        """What a tab shows is a piece of the log without holes, whatever happened."""
        view = self.tabs.view(tab)
        shown = {seq: text for seq, _, text in view["entries"]}
        seqs = [seq for seq, _, _ in view["entries"]]
        known = {seq: text for seq, _, text in log.get(view["conversation"], [])}
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True, f"{tab} shows {seqs}"
        assert all(known.get(seq) == text for seq, text in shown.items()), f"{tab} shows what is not in the log"
        return view

    async def heal(self, tabs: list[str]) -> None:
        """The network is whole again; until every outbox is empty and every tab shows all of its conversation."""
        for server in self.servers:
            server.bus.wire.heal()
        chance = random.Random(len(self.said))  # noqa: S311 — a story told again is the same story
        for _ in range(HEALED_WITHIN):
            if await self._is_whole(tabs):
                return
            self.advance(1)
            for server in self.servers:
                server.bus.look_again()
            for link in list(self.links):
                self.connect(link, chance.randrange(len(self.servers)))
                self.carry_up(link, 1000)
            await self.settle()
            for link in list(self.links):
                self.carry_down(link, 1000)
        views = [self.tabs.view(tab) for tab in tabs]
        raise AssertionError(f"after {HEALED_WITHIN} s the log is {await self.log()} and the tabs are {views}")

    async def _is_whole(self, tabs: list[str]) -> bool:
        log = await self.log()
        for tab in tabs:
            view = self.check(log, tab)
            last = max((seq for seq, _, _ in log.get(view["conversation"], [])), default=0)
            shown = max((seq for seq, _, _ in view["entries"]), default=0)
            if view["outbox"] or not view["live"] or shown != last:
                return False
        return True

    async def end(self) -> None:
        for link in list(self.links):
            self._break(link)
        for server in self.servers:
            server.bus.wire.heal()
            with contextlib.suppress(Exception):
                await server.desk.stop()
        served = [task for tasks in self._tasks.values() for task in tasks if not task.done()]
        current = asyncio.current_task()
        for task in served:
            if task is not current:
                task.cancel()
        await asyncio.gather(*(task for task in served if task is not current), return_exceptions=True)


async def _run(work: Coroutine[Any, Any, None]) -> None:
    await work


def texts_of(log: dict[str, list[tuple[int, str, str]]]) -> list[str]:
    return [text for entries in log.values() for _, _, text in entries if text]
