"""One connection: frames come in and are acted upon in order, until somebody leaves.

Whatever a client sends costs at most itself: a refusal answers the request, a malformed frame closes this socket. An
idle socket has no task: the transport calls `received`, and the heart asks all of them in turn.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import structlog

from chat.clock import Clock
from chat.db import DatabaseAway
from chat.hub.connection import Connection
from chat.hub.transport import READ_AHEAD, Transport
from chat.ids import parse_id
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.protocol.decoding import Undecodable, ref_in
from chat.protocol.errors import Fatal, Refusal, Unavailable
from chat.protocol.pace import Pace
from chat.sockets.heart import Heart
from chat.strings import Strings

LONG = 8 * 1024
"""Behind a text of so many letters nothing else is read ahead."""

F = TypeVar("F")
BEAT = frames.encode(frames.Beat())
LONGEST_BEAT = 64
"""Letters; a longer text is not looked into before its turn."""
log = structlog.get_logger(__name__)


class _Beat(msgspec.Struct):
    type: str = ""
    ask: bool = False


_beat = msgspec.json.Decoder(_Beat).decode


def _asks(text: str) -> bool:
    """Whether it only wants to know that somebody is there."""
    if len(text) > LONGEST_BEAT or '"beat"' not in text:
        return False
    try:
        found = _beat(text)
    except msgspec.DecodeError:
        return False
    return found.type == "beat" and found.ask


class Socket(Generic[F]):
    """Subclasses say what to do with a frame (`act`, `act_now`) and what to undo at the end (`leave`)."""

    role: ClassVar[str]
    flood: ClassVar[tuple[float, float]]
    """At once, and each second, so many texts are read of one, above what its session allows: for frames that are
    refused, or are none."""
    __slots__ = (
        "_acting",
        "_asked",
        "_clock",
        "_flood",
        "_heard",
        "_heart",
        "_inbox",
        "_is_held",
        "_receive",
        "_slot",
        "_strings",
        "_transport",
        "connection",
        "introduced",
        "locale",
    )

    def __init__(
        self,
        transport: Transport,
        heart: Heart,
        clock: Clock,
        strings: Strings,
        receive: Callable[[str, float], F | None],
    ) -> None:
        self._transport = transport
        self._heart = heart
        self._clock = clock
        self._strings = strings
        self._receive = receive
        self._heard = clock.monotonic()
        self._asked = 0.0
        self._inbox: deque[str] | None = None
        self._is_held = False
        """A flood waits where it comes from."""
        self._acting: asyncio.Future[Any] | None = None
        burst, per_second = self.flood
        self._flood = Pace(burst=burst, per_second=per_second)
        self.introduced = False
        self.locale = "en"
        self.connection = Connection(transport, sent=heart.traffic.sent)
        self._slot = heart.add(self)
        transport.start(self)

    @property
    def id(self) -> str:
        """For the log: the same in all lines of this connection, and no bytes of its own."""
        return f"{id(self):x}"

    @abstractmethod
    async def act(self, frame: F) -> None: ...

    def act_now(self, _frame: F) -> bool:
        """True for a frame that was dealt with here and now, because nothing has to be waited for."""
        return False

    def act_soon(self, _frame: F) -> "asyncio.Future[Any] | None":
        """For a frame of which only the end has to be waited for: the end, without a task of its own. Else None."""
        return None

    @abstractmethod
    async def leave(self) -> None: ...

    @abstractmethod
    def departed(self) -> None:
        """All is undone: it is not counted any more."""

    def push(self, frame: frames.Frame) -> None:
        self.connection.push(frames.encode(frame))

    # ── what the transport tells ─────────────────────────────────────────────────────────────────────────────────

    def received(self, text: str) -> None:
        self._heard = self._clock.monotonic()
        if self._acting is None and not self._inbox and self._may_act:
            self._take(text)
            return
        if _asks(text) and self._answers_now():
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(text)
        if len(self._inbox) >= READ_AHEAD or len(text) > LONG:
            self._transport.pause()

    def _answers_now(self) -> bool:
        """A word that waits for the database is no reason to doubt this line, and to leave it."""
        may = self.introduced and self.connection.has_room and not self._transport.keeps_order
        if not may or self._flood.take(self._heard):
            return False
        self.connection.push(BEAT)
        return True

    def malformed(self) -> None:
        self.connection.close(Closing.MALFORMED)

    def drained(self) -> None:
        self.connection.drained()
        self._go_on()

    def ended(self) -> None:
        """What the client asked for is finished all the same: nobody who leaves cuts a transaction from the news that
        follow its commit."""
        self.connection.ended()
        closing = self.connection.closing or Closing.GONE
        how = self._transport.farewell if closing is Closing.GONE else ""
        self._heart.traffic.closed[self.role, how or str(closing.code)] += 1
        log.debug("a connection ended", connection_id=self.id, role=self.role, code=closing.code)
        self._inbox = None
        self._heart.remove(self, self._slot)
        self._heart.spawn(self._depart())

    async def _depart(self) -> None:
        try:
            if self._acting is not None:
                await asyncio.wait({self._acting})
            await self.leave()
        except DatabaseAway:
            log.warning("a departure could not be written; the lease ends it", connection_id=self.id)
        except Exception:
            log.exception("a departure failed", connection_id=self.id)
        finally:
            self.departed()

    # ── frames, one after the other ──────────────────────────────────────────────────────────────────────────────

    @property
    def _may_act(self) -> bool:
        return self.connection.has_room and not self._is_held

    def _go_on(self) -> None:
        while self._inbox and self._acting is None and self._may_act and self.connection.closing is None:
            self._take(self._inbox.popleft())
        if not self._inbox:
            self._inbox = None
            if self._may_act:
                self._transport.resume()

    def _take(self, text: str) -> None:
        """Acts on a text, at once or in a task of its own."""
        if self.connection.closing is not None:
            return
        introduced = self.introduced
        frame: F | None = None
        try:
            frame = self._receive(text, self._heard)
            if frame is not None:
                self._heart.traffic.came(type(frame))
            if frame is not None and not self.act_now(frame):
                self._acting = self.act_soon(frame)
                if self._acting is not None:
                    self._acting.add_done_callback(partial(self._acted_soon, frame))
                else:
                    self._acting = self._heart.spawn(self._act(frame, introduced=introduced))
                    self._acting.add_done_callback(self._acted)
        except Exception as error:
            self._failed(error, frame, text, introduced=introduced)
        if wait := self._flood.take(self._heard):
            # Read more slowly: the rest of the flood waits where it comes from.
            self._is_held = True
            self._transport.pause()
            asyncio.get_running_loop().call_later(wait, self._release)
        elif not self._may_act:
            self._transport.pause()

    def _release(self) -> None:
        self._is_held = False
        if not self.connection.closed:
            self._go_on()

    async def _act(self, frame: F, *, introduced: bool) -> None:
        try:
            await self.act(frame)
        except Exception as error:
            self._failed(error, frame, "", introduced=introduced)

    def _acted_soon(self, frame: F, end: "asyncio.Future[Any]") -> None:
        if not end.cancelled() and isinstance(error := end.exception(), Exception):
            self._failed(error, frame, "", introduced=True)
        self._acted(end)

    def _acted(self, _end: "asyncio.Future[Any]") -> None:
        self._acting = None
        if not self.connection.closed:
            self._go_on()

    def _failed(self, error: Exception, frame: F | None, text: str, *, introduced: bool) -> None:
        """Everything that can come of a frame ends here."""
        if frame is None:
            self._heart.traffic.came(type(error))
        match error:
            case Undecodable():
                self.refuse(error.refusal, ref=error.ref)
            case Refusal():
                self.refuse(error, frame, ref="" if frame is not None else ref_in(text))
            case DatabaseAway():
                about = self._about(frame)
                log.warning("the database was away", error=type(error.__cause__ or error).__name__, **about)
                if introduced:
                    self.refuse(Unavailable(), frame)
                else:
                    self.connection.close(Closing.DATABASE_AWAY)  # an introduction cannot be sent twice
            case Fatal():
                self.connection.close(error.closing)
            case _:
                # Ours, not the client's: it may come back and resend what was not acknowledged.
                log.error("a connection failed", exc_info=error, **self._about(frame))
                self.connection.close(Closing.DATABASE_AWAY)

    def _about(self, frame: object) -> dict[str, str | None]:
        """For the log. What a client calls a conversation may be any words: only an id is repeated."""
        conversation_id = parse_id(getattr(frame, "conversation", None) or "")
        named = str(conversation_id) if conversation_id else None
        return {"connection_id": self.id, "conversation_id": named, "frame": type(frame).__name__}

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

    # ── the heart ────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self) -> None:
        self._asked = self._clock.monotonic()
        self.connection.push(BEAT)

    def check_answer(self) -> None:
        """While we act, or do not read, the silence is ours."""
        waits_for_us = self._acting is not None or self._inbox or not self._may_act
        if self._asked and self._heard < self._asked and not waits_for_us:
            self.connection.close(Closing.SILENT)

    def check_hello(self) -> None:
        """A word that comes too late is no fault of the client's: it may have slept, or we may be overrun. It comes
        back, while one that is out of turn must not."""
        if not self.introduced and self._acting is None:
            self.connection.close(Closing.SILENT)
