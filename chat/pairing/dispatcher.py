"""Runs pairing in this process: offers, missed offers, vanished operators, places in the line.

Every process runs one, all the time; what they do at once is judged by the conditional UPDATEs of actions.py. Time is
taken by this process's own stopwatch from when it first saw a thing, so clocks of machines are never compared.
"""

import asyncio
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.hub.hub import Hub, News, conversation_topic
from chat.pairing import waiting
from chat.pairing.actions import Pairing
from chat.pairing.models import Assignment
from chat.pairing.presence import BEAT_SECONDS, PresenceBook
from chat.people.models import Operator

TICK_SECONDS = 1.0
BURY_SECONDS = 2.0
"""How often others are looked at: with their 25 s, nobody who is gone is shown longer than 30 s."""

T = TypeVar("T", bound=Hashable)

log = structlog.get_logger(__name__)


class Stopwatches(Generic[T]):
    """How long each thing has been seen without a break."""

    def __init__(self) -> None:
        self._since: dict[T, float] = {}

    def older_than(self, seconds: float, things: Iterable[T], now: float) -> list[T]:
        self._since = {thing: self._since.get(thing, now) for thing in things}
        return [thing for thing, since in self._since.items() if now - since >= seconds]


class Dispatcher:
    def __init__(
        self, db: Database, clock: Clock, hub: Hub, pairing: Pairing, presence: PresenceBook, vanished_seconds: float
    ) -> None:
        self._db = db
        self._clock = clock
        self._hub = hub
        self._pairing = pairing
        self._presence = presence
        self._vanished_seconds = vanished_seconds
        self._look = asyncio.Event()
        self._offers: Stopwatches[UUID] = Stopwatches()
        self._absences: Stopwatches[tuple[UUID, UUID]] = Stopwatches()
        self._told: dict[UUID, tuple[int, float | None]] = {}
        self._beaten = self._buried = clock.monotonic()
        hub.on("look", self._on_look)

    def _on_look(self, _topic: str, _news: News) -> None:
        self._look.set()

    async def run(self) -> None:
        self._hub.follow("pairing")
        while True:
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            try:
                await self.turn()
            except Exception:
                # Whatever was not done is still to be seen in the rows: the next turn does it.
                log.warning("a turn of the dispatcher failed", exc_info=True)

    async def turn(self) -> None:
        """One round. Cheap when nothing waits: a few small queries."""
        now = self._clock.monotonic()
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            await self._presence.beat()
        if now - self._buried >= BURY_SECONDS:
            self._buried = now
            await self._presence.bury()
        await self._miss_offers(now)
        await self._return_abandoned(now)
        while await self._pairing.offer_next():
            pass
        await self._tell_places()

    async def _miss_offers(self, now: float) -> None:
        assignments, operators = table_of(Assignment), table_of(Operator)
        async with self._db.read() as session:
            found = await session.execute(
                select(assignments.c.id, assignments.c.conversation_id, assignments.c.operator_id, operators.c.present)
                .join(operators, operators.c.id == assignments.c.operator_id)
                .where(assignments.c.state == "offered")
            )
            offers = {row.id: row for row in found}
        late = set(self._offers.older_than(self._pairing.offer_seconds, offers, now))
        for assignment_id, offer in offers.items():
            if not offer.present:
                await self._pairing.withdraw(offer.conversation_id, offer.operator_id, "vanished")
            elif assignment_id in late:
                await self._pairing.withdraw(offer.conversation_id, offer.operator_id, "missed")

    async def _return_abandoned(self, now: float) -> None:
        rows, operators = table_of(Conversation), table_of(Operator)
        async with self._db.read() as session:
            found = await session.execute(
                select(rows.c.id, rows.c.operator_id)
                .join(operators, operators.c.id == rows.c.operator_id)
                .where(rows.c.state == "active", operators.c.present.is_(False))
            )
            abandoned = {(row.id, row.operator_id) for row in found}
        for conversation_id, operator_id in self._absences.older_than(self._vanished_seconds, abandoned, now):
            await self._pairing.give_back(conversation_id, operator_id)

    async def _tell_places(self) -> None:
        async with self._db.read() as session:
            places = await waiting.places(session)
            pace = await waiting.seconds_per_place(session, self._clock.now()) if places else {}
        told: dict[UUID, tuple[int, float | None]] = {}
        for place in places:
            told[place.conversation_id] = place.position, waiting.estimate(place, pace)
            if self._told.get(place.conversation_id) != told[place.conversation_id]:
                position, wait = told[place.conversation_id]
                news = {"kind": "queued", "position": position, "wait": wait}
                self._hub.publish(conversation_topic(place.conversation_id), news)
        self._told = told
