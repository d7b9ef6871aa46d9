"""Who may come in: a request for a socket is admitted or denied, before anything is upgraded. Visitors and operators
have a door each, so that a crowd of visitors cannot shut operators out."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection

from chat.clock import Clock
from chat.hub.admission import Admission, neighbourhood
from chat.hub.gate import ROOM_SECONDS, Gate
from chat.hub.transport import Transport
from chat.sockets.socket import Socket

LOOK_SECONDS = 0.1
"""So often one who waits at a process that is late looks whether it has caught up."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A request to upgrade, however it came."""

    path: str
    origin: str | None
    browser: str
    address: str
    """The peer, or behind a trusted proxy the address that it names."""
    polls: bool = False
    """Comes again and again: not counted as one more try."""


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


@dataclass(frozen=True, slots=True)
class Denied:
    """The answer to a request that is not upgraded."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


FORBIDDEN = Denied(403, "Forbidden")
NOT_FOUND = Denied(404, "Not Found")


@dataclass(frozen=True, slots=True)
class Admitted:
    open: Callable[[Transport], Socket[Any]]
    """Makes the socket on its transport, which lets itself out when it departs."""
    leave: Callable[[], None]
    """For one who was admitted and did not come."""


class Door:
    """`first`: whoever comes here goes before those of other doors, through the same gate."""

    def __init__(self, admission: Admission, gate: Gate, clock: Clock, *, first: bool = False) -> None:
        self._admission = admission
        self._gate = gate
        self._clock = clock
        self._first = first

    async def enter(self, knock: Knock) -> Denied | None:
        """None: admitted, when it was their turn, and counted until `leave`."""
        now = self._clock.monotonic()
        if wait := self._admission.enter(knock.address, now, tries=not knock.polls):
            return _denied(429, "Too many connections", wait)
        try:
            wait = await self._pass(knock.address, now)
        except BaseException:
            self.leave(knock.address)
            raise
        if wait:
            self.leave(knock.address)
            return _denied(503, "Too many at once", wait)
        return None

    async def _pass(self, address: str, now: float) -> float:
        """0 when they may come in; else the seconds until another try makes sense."""
        if self._first:
            return self._gate.take(now, first=True)
        until = asyncio.get_running_loop().time() + ROOM_SECONDS
        if not self._gate.is_late:
            wait = self._gate.take(now)
            if wait > ROOM_SECONDS:
                return wait
            if wait:
                await asyncio.sleep(wait)
        if self._gate.is_late and not await self._called(address, until):
            return 2 * ROOM_SECONDS
        return 0.0

    async def _called(self, address: str, until: float) -> bool:
        """Waits in the line of a process that is late, until it has caught up or it is their turn all the same. False:
        there is no place, it was not their turn `until` then, or this process wants nobody."""
        guest, line, loop = object(), self._gate.line, asyncio.get_running_loop()
        if not line.join(guest, neighbourhood(address)):
            return False
        try:
            while self._gate.is_late:
                if self._gate.wants_nobody:
                    return False
                if line.call(guest, self._clock.monotonic()):
                    return True
                if (left := until - loop.time()) <= 0:
                    return False
                await asyncio.sleep(min(left, LOOK_SECONDS))
        finally:
            line.leave(guest)
        return True

    def leave(self, address: str) -> None:
        self._admission.leave(address)


def _denied(status: int, text: str, wait: float) -> Denied:
    return Denied(status, text, {"Retry-After": str(math.ceil(wait))})
