"""Tells the visitors of this process their places in the line, from one look at the queues for all of them."""

import asyncio
from uuid import UUID

import structlog

from chat.clock import Clock
from chat.hub.hub import Hub, News
from chat.pairing.places import FAR_SECONDS, NEAR, Place, PlaceBoard
from chat.patience import at_most
from chat.protocol import frames
from chat.sockets.visitors import VisitorSockets

TOGETHER_SECONDS = 0.25
"""Changes within this time are told together."""

log = structlog.get_logger(__name__)


class QueueTeller:
    def __init__(self, clock: Clock, hub: Hub, board: PlaceBoard, visitors: VisitorSockets) -> None:
        self._clock = clock
        self._hub = hub
        self._board = board
        self._visitors = visitors
        self._look = asyncio.Event()
        self._told: dict[UUID, Place] = {}
        self._told_all_at = float("-inf")
        hub.on("look", self._on_look)

    def _on_look(self, _topic: str, _news: News) -> None:
        self._look.set()

    async def run(self) -> None:
        self._hub.follow("pairing")
        while True:
            await at_most(FAR_SECONDS, self._look)
            await asyncio.sleep(TOGETHER_SECONDS)
            self._look.clear()
            try:
                await self.turn()
            except Exception:
                # Places are told again with the next change, and every ten seconds.
                log.warning("places could not be told", exc_info=True)

    async def turn(self) -> None:
        """Tells who stands elsewhere than they were told."""
        mine = self._visitors.by_conversation
        if not mine:
            return
        near = await self._board.near()
        places = near
        now = self._clock.monotonic()
        if now - self._told_all_at >= FAR_SECONDS:
            self._told_all_at = now
            places = await self._board.all()
        # Who left the head of the line and comes back to it is told again.
        self._told = {
            id_: place for id_, place in self._told.items() if id_ in mine and (id_ in near or place.position > NEAR)
        }
        for conversation_id in places.keys() & mine.keys():
            place = places[conversation_id]
            if self._told.get(conversation_id) != place:
                self._told[conversation_id] = place
                for socket in mine[conversation_id]:
                    socket.push(frames.Queued(str(conversation_id), place.position, place.wait))
