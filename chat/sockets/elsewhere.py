"""Clients are sent to another process: when this one leaves, and while it alone cannot store anything.

Make before break: each is asked to open a new socket, spread over a few seconds, and leaves this process when it is
there. Who is still here after that is closed, and comes back by itself.
"""

import asyncio
import contextlib
from typing import Any

import structlog

from chat.db import Database
from chat.hub.bus import Bus
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.sockets.operators import OperatorSockets
from chat.sockets.socket import Socket
from chat.sockets.visitors import VisitorSockets

LEAVE_SECONDS = 10.0
SPREAD_SECONDS = 5.0
SICK_SECONDS = 3.0
"""So long nothing can be stored here before anybody is sent away. A database that is away for all is known by then:
each process finds out, by reading if it has nothing to write, and says so within half a second."""
SURE_SECONDS = 1.5
"""So long it must stay so: when the database is back for all, one of them is the first to say it."""
LOOK_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Elsewhere:
    def __init__(
        self, db: Database, bus: Bus, visitors: VisitorSockets, operators: OperatorSockets, *, per_second: float
    ) -> None:
        self._db = db
        self._bus = bus
        self._visitors = visitors
        self._operators = operators
        self._per_second = per_second

    @property
    def is_needed(self) -> bool:
        """This process cannot store anything, and another one can."""
        return self._db.unwritten_seconds > SICK_SECONDS and self._bus.others_can_store

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._sockets() or not self.is_needed:
                continue
            await asyncio.sleep(SURE_SECONDS)
            if self.is_needed:
                log.warning("nothing can be stored here: clients are sent elsewhere")
                await self.send()

    async def send(self) -> None:
        sockets = self._sockets()
        spread = min(SPREAD_SECONDS, len(sockets) / self._per_second)
        for place, one in enumerate(sockets):
            one.push(frames.Retired(after=round(spread * place / max(1, len(sockets)), 2)))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(spread + LEAVE_SECONDS):
                    await asyncio.gather(*(one.connection.until_closed() for one in sockets))
        finally:
            # Who is still here, because its time is over or because this process was told to hurry.
            self._close(sockets)

    def close(self) -> None:
        """At once: to all others this process is dead already."""
        self._close(self._sockets())

    def _sockets(self) -> list[Socket[Any]]:
        return [*self._visitors.all, *self._operators.all]

    def _close(self, sockets: list[Socket[Any]]) -> None:
        for one in sockets:
            one.connection.close(Closing.RETIRING)
