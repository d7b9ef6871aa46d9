"""Runs pairing in this process: offers, missed offers, vanished operators.

Every process runs one, all the time; what they do at once is judged by the conditional UPDATEs of actions.py. Time is
taken by this process's own stopwatch from when it first saw a thing, so clocks of machines are never compared.
"""

import asyncio
import random
from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Row, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.hub.hub import Hub, News
from chat.pairing.actions import Pairing
from chat.pairing.models import Assignment
from chat.pairing.presence import NOW, on_duty
from chat.patience import at_most
from chat.people.models import Operator

TICK_SECONDS = 1.0
OFFERING_SECONDS = 0.5
"""In one turn, so that a crowd at the door does not hide who vanished; the next turn goes on at once."""
LONGEST_REST = 0.25
AGAIN_SECONDS = 0.1
"""Another process was deciding: what it had not seen yet is looked for after about so long."""

T = TypeVar("T", bound=Hashable)

# They are executed every second.
_assignments, _operators = table_of(Assignment), table_of(Operator)
_OFFERS = (
    select(
        _assignments.c.id,
        _assignments.c.conversation_id,
        _assignments.c.operator_id,
        _operators.c.present,
        _operators.c.active,
        on_duty(NOW).label("on_duty"),
    )
    .join(_operators, _operators.c.id == _assignments.c.operator_id)
    .where(_assignments.c.state == "offered")
)
_GONE = select(_operators.c.id, _operators.c.unheard, _operators.c.active).where(
    or_(_operators.c.present.is_(False), _operators.c.active.is_(False)), _operators.c.load > 0
)

log = structlog.get_logger(__name__)


class Stopwatches(Generic[T]):
    """How long each thing has been seen without a break."""

    def __init__(self) -> None:
        self._since: dict[T, float] = {}

    def older_than(self, seconds: float, things: Mapping[T, float], now: float) -> list[T]:
        """`things`, each with how old it was at its first sight."""
        self._since = {thing: self._since.get(thing, now) for thing in things}
        return [thing for thing, since in self._since.items() if now - since + things[thing] >= seconds]


class Dispatcher:
    def __init__(self, db: Database, clock: Clock, hub: Hub, pairing: Pairing, vanished_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self._hub = hub
        self._pairing = pairing
        self._vanished_seconds = vanished_seconds
        self._look = asyncio.Event()
        self._offers: Stopwatches[UUID] = Stopwatches()
        self._absences: Stopwatches[tuple[UUID, UUID]] = Stopwatches()
        hub.on("look", self._on_look)

    def _on_look(self, _topic: str, _news: News) -> None:
        self._look.set()

    async def run(self) -> None:
        self._hub.follow("pairing")
        while True:
            await at_most(TICK_SECONDS, self._look)
            self._look.clear()
            began = self._clock.monotonic()
            try:
                await self.turn()
            except Exception:
                # Whatever was not done is still to be seen in the rows: the next turn does it.
                log.warning("a turn of the dispatcher failed", exc_info=True)
            # A crowd at the door may take half of this process at most: messages go on beside it.
            await asyncio.sleep(min(self._clock.monotonic() - began, LONGEST_REST))

    async def turn(self) -> None:
        """One round. Cheap when nothing waits: a few small queries."""
        now = self._clock.monotonic()
        async with self._db.read() as session:
            offers = await self._offers_now(session)
            abandoned = await self._abandoned(session)
        await self._miss_offers(offers, now)
        for conversation_id, operator_id in self._absences.older_than(self._vanished_seconds, abandoned, now):
            await self._pairing.give_back(conversation_id, operator_id)
        await self._offer()

    async def _offer(self) -> None:
        until = self._clock.monotonic() + OFFERING_SECONDS
        while (outcome := await self._pairing.offer_next()) and self._clock.monotonic() < until:
            pass
        if outcome is None:
            loop = asyncio.get_running_loop()
            loop.call_later(AGAIN_SECONDS * random.uniform(0.5, 1.5), self._look.set)  # noqa: S311 — spreads, hides nothing
        elif outcome:
            self._look.set()

    async def _offers_now(self, session: AsyncSession) -> Mapping[UUID, Row[Any]]:
        return {row.id: row for row in await session.execute(_OFFERS, {"now": self._clock.now()})}

    async def _miss_offers(self, offers: Mapping[UUID, Row[Any]], now: float) -> None:
        late = set(self._offers.older_than(self._pairing.offer_seconds, dict.fromkeys(offers, 0.0), now))
        for assignment_id, offer in offers.items():
            gone = not (offer.present and offer.active)
            if gone or not offer.on_duty or assignment_id in late:
                because = "vanished" if gone else "missed" if offer.on_duty else "off-duty"
                await self._pairing.withdraw(offer.conversation_id, offer.operator_id, because, offer=assignment_id)

    async def _abandoned(self, session: AsyncSession) -> Mapping[tuple[UUID, UUID], float]:
        """Conversations of operators who are gone, and how long those were unheard. Operators first: they are few, and
        of those who are gone only some have conversations."""
        rows = table_of(Conversation)
        missing = await session.execute(_GONE)
        # A deactivated operator does not come back: nobody is kept waiting for them.
        unheard = {id_: before if active else self._vanished_seconds for id_, before, active in missing}
        if not unheard:
            return {}
        found = await session.execute(
            select(rows.c.id, rows.c.operator_id).where(rows.c.operator_id.in_(unheard), rows.c.state == "active")
        )
        return {(row.id, row.operator_id): unheard[row.operator_id] for row in found}
