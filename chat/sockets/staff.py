"""Tells everybody who is there: changes within a moment together, and only what differs from what was told."""

import asyncio

import structlog

from chat.hub.hub import Hub, News
from chat.pairing.staff import PEOPLE_SECONDS, StaffBoard
from chat.patience import at_most
from chat.protocol.frames import Staff
from chat.sockets.operators import OperatorSockets
from chat.sockets.visitors import VisitorSockets

TOGETHER_SECONDS = 0.25
"""When a process with hundreds of operators goes, visitors hear of it once."""

log = structlog.get_logger(__name__)


class StaffTeller:
    """Also looks by itself: a lost hint must not leave anybody shown who is gone."""

    def __init__(self, hub: Hub, board: StaffBoard, visitors: VisitorSockets, operators: OperatorSockets) -> None:
        self._hub = hub
        self._board = board
        self._visitors = visitors
        self._operators = operators
        self._changed = asyncio.Event()
        self._told: Staff | None = None
        hub.on("staff", self._on_staff)

    def _on_staff(self, _topic: str, _news: News) -> None:
        self._board.changed()
        self._changed.set()

    async def run(self) -> None:
        self._hub.follow("staff")
        while True:
            if await at_most(PEOPLE_SECONDS, self._changed):
                await asyncio.sleep(TOGETHER_SECONDS)
            self._changed.clear()
            try:
                await self._turn()
            except Exception:
                # What was told stays told until the next look succeeds.
                log.warning("who is there could not be told", exc_info=True)

    async def _turn(self) -> None:
        if not (self._visitors.all or self._operators.all):
            self._told = None
            return
        staff = await self._board.now()
        if staff != self._told:
            self._told = staff
            await self._visitors.tell_staff(staff)
            self._operators.staff_changed()
