"""Runs one connection: a writer, a heartbeat, and a loop that reads frames until somebody leaves.

Whatever a client sends costs at most itself: a refusal answers the request, a malformed frame closes this socket.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from starlette.websockets import WebSocket

from chat.clock import Clock
from chat.db import DatabaseAway
from chat.hub.connection import Connection, Gone
from chat.hub.transport import BinaryRefused, StarletteTransport
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.protocol.decoding import Undecodable, ref_in
from chat.protocol.errors import Fatal, Refusal, Unavailable
from chat.protocol.pace import Pace
from chat.strings import Strings

HELLO_SECONDS = 10.0
BEAT_SECONDS = 20.0
ANSWER_SECONDS = 5.0
FLOOD_BURST = 300
FLOOD_PER_SECOND = 60
"""Above what any session allows: for frames that are refused, or are none."""

F = TypeVar("F")
log = structlog.get_logger(__name__)


class Socket(Generic[F]):
    """Subclasses say what to do with a frame (`act`) and what to undo at the end (`leave`)."""

    def __init__(
        self, websocket: WebSocket, clock: Clock, strings: Strings, receive: Callable[[str, float], F | None]
    ) -> None:
        self._transport = StarletteTransport(websocket)
        self._clock = clock
        self._strings = strings
        self._receive = receive
        self._heard = clock.monotonic()
        self.introduced = False
        self.locale = "en"
        self.connection = Connection(self._transport)
        self._acting: asyncio.Task[None] | None = None
        self._flood = Pace(burst=FLOOD_BURST, per_second=FLOOD_PER_SECOND)

    @abstractmethod
    async def act(self, frame: F) -> None: ...

    @abstractmethod
    async def leave(self) -> None: ...

    def push(self, frame: frames.Frame) -> None:
        self.connection.push(frames.encode(frame))

    async def run(self) -> None:
        """Until the socket has ended. Everything it started ends with it, but what a client asked for is finished:
        nobody who leaves cuts a transaction from the news that follow its commit."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self.connection.write())
                helpers = [tasks.create_task(self._read()), tasks.create_task(self._beat())]
                try:
                    await self.connection.closed.wait()
                finally:
                    for helper in helpers:
                        helper.cancel()
                    writer.cancel()
        finally:
            if self._acting is not None:
                await asyncio.wait({self._acting})
            try:
                await self.leave()
            except DatabaseAway:
                log.warning("a departure could not be written; the lease ends it")

    async def _read(self) -> None:
        until = asyncio.get_running_loop().time() + HELLO_SECONDS
        try:
            while self.connection.closing is None:
                await self.connection.room()
                text = await self._next(until)
                self._heard = self._clock.monotonic()
                self._acting = asyncio.create_task(self._handle(text))
                await asyncio.shield(self._acting)
                if wait := self._flood.take(self._clock.monotonic()):
                    # Read more slowly: the rest of the flood waits where it comes from.
                    await asyncio.sleep(wait)
        except TimeoutError:
            self.connection.close(Closing.OUT_OF_TURN)
        except Gone:
            self.connection.close(Closing.GONE)
        except BinaryRefused:
            self.connection.close(Closing.MALFORMED)

    async def _next(self, until: float) -> str:
        """The next text; who has not introduced themselves by `until` is not waited for."""
        if self.introduced:
            return await self._transport.receive()
        async with asyncio.timeout_at(until):
            return await self._transport.receive()

    async def _handle(self, text: str) -> None:
        """Everything that can come of a frame ends here."""
        frame: F | None = None
        introduced = self.introduced
        try:
            frame = self._receive(text, self._clock.monotonic())
            if frame is not None:
                await self.act(frame)
        except Undecodable as error:
            self.refuse(error.refusal, ref=error.ref)
        except Refusal as refusal:
            self.refuse(refusal, frame, ref="" if frame is not None else ref_in(text))
        except DatabaseAway as error:
            log.warning("the database is away", error=type(error.__cause__ or error).__name__)
            if introduced:
                self.refuse(Unavailable(), frame)
            else:
                self.connection.close(Closing.DATABASE_AWAY)  # an introduction cannot be sent twice
        except Fatal as error:
            self.connection.close(error.closing)
        except Exception:
            # Ours, not the client's: it may come back and resend what was not acknowledged.
            log.exception("a connection failed")
            self.connection.close(Closing.DATABASE_AWAY)

    def refuse(self, refusal: Refusal, frame: object = None, *, ref: str = "") -> None:
        self.push(
            frames.Refused(
                code=refusal.code,
                message=self._strings.catalogue(self.locale).gettext(refusal.message),
                ref=ref or getattr(frame, "ref", None) or "",
                conversation=getattr(frame, "conversation", None) or "",
                retry=refusal.retry,
                retry_after=refusal.retry_after,
            )
        )

    async def _beat(self) -> None:
        """Asks every 20 s; who says nothing for 5 s after that is on a dead line."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            asked = self._clock.monotonic()
            self.push(frames.Beat())
            await asyncio.sleep(ANSWER_SECONDS)
            waits_for_us = self._acting is not None and not self._acting.done()
            if self._heard < asked and not waits_for_us:
                self.connection.close(Closing.SILENT)
                return
