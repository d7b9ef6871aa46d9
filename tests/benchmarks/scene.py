"""Servers A and B of one desk on PostgreSQL and Redis, visitors on A, consoles on B, all written into the tables.

Servers share one core where there are two; the load, PostgreSQL and Redis have the other.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from sqlalchemy import insert

from chat.clock import SystemClock
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.ids import hashed, new_id, new_secret
from chat.people.models import LoginSession, OneTimeSecret, Operator, Visitor
from tests.benchmarks.pinned import UNPACED, pin
from tests.support.databases import PostgresMaker
from tests.support.parts import Parts
from tests.support.servers import PostgresServer, RedisServer
from tests.support.serving import Desk, Process

CONNECTING = 10
"""Sockets that are opened at a time."""


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"p{share:g}_ms": round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))], 2)
        for share in (50, 99)
    }


OnText = Callable[["Ear", bytes], None]


class Ear(WSListener):
    """A client on picows: hands texts on, answers heartbeats, and is fast enough not to be what is measured."""

    def __init__(self) -> None:
        self.on_text: OnText = lambda _ear, _text: None
        self.key = ""
        self.transport: WSTransport | None = None
        self._wanted: tuple[Callable[[bytes], bool], asyncio.Future[None]] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            text = frame.get_payload_as_bytes()
            if self._wanted is not None and self._wanted[0](text):
                if not self._wanted[1].done():
                    self._wanted[1].set_result(None)
                self._wanted = None
            elif text.startswith(b'{"type":"beat"'):
                transport.send(WSMsgType.TEXT, text)
            else:
                self.on_text(self, text)
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
            if self._wanted is not None and not self._wanted[1].done():
                self._wanted[1].set_exception(ConnectionError(f"closed with {frame.get_close_code()}"))
                self._wanted = None

    def say(self, **frame: Any) -> None:
        self.send(msgspec.json.encode(frame))

    def send(self, frame: bytes) -> None:
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, frame)

    def leave(self) -> None:
        if self.transport is not None:
            self.transport.disconnect()

    async def until(self, fits: Callable[[bytes], bool]) -> None:
        """The next text that fits has come; it goes nowhere else."""
        wanted = asyncio.get_running_loop().create_future()
        self._wanted = fits, wanted
        async with asyncio.timeout(60):
            await wanted


@dataclass
class Talk:
    """A conversation with its visitor."""

    id: UUID
    token: str
    operator: UUID


class Scene:
    def __init__(self, desk: Desk, db: Database, a: Process, b: Process) -> None:
        self.desk = desk
        self.db = db
        self.a = a
        self.b = b
        self.site_key = "polaris"
        self.operators: list[UUID] = []
        self.talks: list[Talk] = []

    async def furnish(self, talks: int, operators: int) -> None:
        """Conversations under way, shared out among operators."""
        parts = Parts(self.db, SystemClock())
        site, departments = await parts.furnish()
        now = parts.clock.now()
        self.site_key = site.key
        async with self.db.write() as session:
            for number in range(operators):
                operator = Operator(
                    id=new_id(),
                    email=f"{number}-{new_id().hex[:8]}@desk.example",
                    name=f"Operator {number}",
                    role="administrator",
                    capacity=1000,
                    settings={},
                    created_at=now,
                )
                session.add(operator)
                self.operators.append(operator.id)
        self.talks = [
            Talk(new_id(), new_secret(), self.operators[number % operators] if operators else new_id())
            for number in range(talks)
        ]
        visitors = [
            _row(
                Visitor(
                    id=new_id(), site_id=site.id, token_hash=hashed(talk.token), pages=[], created_at=now, seen_at=now
                )
            )
            for talk in self.talks
        ]
        conversations = [
            _row(
                Conversation(
                    id=talk.id,
                    site_id=site.id,
                    visitor_id=visitor["id"],
                    department_id=departments[0].id,
                    start_ref=talk.id.hex,
                    state="active",
                    operator_id=talk.operator,
                    page={},
                    created_at=now,
                )
            )
            for talk, visitor in zip(self.talks, visitors, strict=True)
        ]
        async with self.db.write() as session:
            await session.execute(insert(table_of(Visitor)), visitors)
            await session.execute(insert(table_of(Conversation)), conversations)

    async def visitor(self, talk: Talk, server: Process) -> Ear:
        """Connected, resumed and live."""
        ear = await self._connected(server, f"/w/{self.site_key}/socket")
        ear.key = str(talk.id)
        ear.say(type="hello", site=self.site_key, token=talk.token, conversation=ear.key)
        await ear.until(lambda text: b'"paged"' in text)
        return ear

    async def console(self, operator_id: UUID, server: Process, talks: list[Talk], socket_pass: str = "") -> Ear:
        """Attending, with these conversations open."""
        socket_pass = socket_pass or await self.socket_pass(operator_id)
        ear = await self._connected(server, "/console/socket")
        ear.key = str(operator_id)
        ear.say(type="attend", socket_pass=socket_pass)
        await ear.until(lambda text: b'"attended"' in text)
        for talk in talks:
            key = str(talk.id)
            ear.say(type="open", conversation=key)
            await ear.until(lambda text: b'"paged"' in text and b'"stream":"internal"' in text)
        return ear

    async def socket_pass(self, operator_id: UUID) -> str:
        now = SystemClock().now()
        login, secret = new_id(), new_secret()
        async with self.db.write() as session:
            session.add(
                LoginSession(
                    id=login,
                    secret_hash=hashed(new_secret()),
                    operator_id=operator_id,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + timedelta(hours=1),
                )
            )
            await session.flush()
            session.add(
                OneTimeSecret(
                    secret_hash=hashed(secret),
                    purpose="socket",
                    operator_id=operator_id,
                    login_session_id=login,
                    expires_at=now + timedelta(minutes=5),
                )
            )
        return secret

    async def _connected(self, server: Process, path: str) -> Ear:
        address = server.base_url.replace("http", "ws", 1) + path
        _, ear = await ws_connect(
            Ear, address, extra_headers={"Origin": self.desk.base_url}, websocket_handshake_timeout=30
        )
        assert isinstance(ear, Ear)
        return ear


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Two servers, ready, whose limits of pace are lifted; the caller's process is pinned to the core of the load."""
    postgres, redis = PostgresServer(), RedisServer()
    before = os.sched_getaffinity(0)
    pin(0, 1)  # what is started from here on inherits it
    try:
        postgres.start()
        redis.start()
        url = await asyncio.to_thread(PostgresMaker(postgres).make)
        desk = Desk(url, redis.url, program=UNPACED)
        db = Database(url)
        try:
            a = await asyncio.to_thread(desk.serve)
            b = await asyncio.to_thread(desk.serve)
            for process in (a, b):
                pin(process.pid, 0)
            yield Scene(desk, db, a, b)
        finally:
            await db.close()
            await asyncio.to_thread(desk.remove)
    finally:
        postgres.remove()
        redis.remove()
        os.sched_setaffinity(0, before)


async def gathered(work: list[Any]) -> list[Any]:
    """As `gather`, ten at a time."""
    done: list[Any] = []
    for start in range(0, len(work), CONNECTING):
        done += await asyncio.gather(*work[start : start + CONNECTING])
    return done


def _row(model: Any) -> dict[str, Any]:
    return {column.name: getattr(model, column.name) for column in table_of(type(model)).columns}
