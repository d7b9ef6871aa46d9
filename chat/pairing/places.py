"""Everybody's place in the line as this process knows it: read once for all, not once for each.

The first of each queue are read again after every change; the rest of a long queue only every ten seconds, and only
where somebody asks. Whoever comes back is answered from memory.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database
from chat.pairing import waiting

NEAR = 20
"""Places that people watch."""
FAR_SECONDS = 10.0
PACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    department_id: UUID
    position: int
    wait: float | None
    """Seconds in whole minutes, at least one; None where nothing honest can be said."""


class PlaceBoard:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._places: dict[UUID, Place] = {}
        self._read_at = float("-inf")
        self._pace: Mapping[UUID, float] = {}
        self._paced_at = float("-inf")
        self._reading = asyncio.Lock()

    async def all(self) -> Mapping[UUID, Place]:
        """By conversation; at most ten seconds old."""
        async with self._reading:
            now = self._clock.monotonic()
            if now - self._read_at >= FAR_SECONDS:
                async with self._db.read() as session:
                    line = [*await waiting.offered(session), *await waiting.everybody(session)]
                self._places = await self._placed(line)
                self._read_at = now
            return self._places

    async def near(self) -> Mapping[UUID, Place]:
        """The first of each queue, as they stand now."""
        async with self._db.read() as session:
            line = await waiting.offered(session)
            departments = await waiting.all_departments(session)
            line += [(one.id, one.department_id) for one in await waiting.first(session, departments, NEAR)]
        places = await self._placed(line)
        self._places = {**self._places, **places}
        return places

    async def of(self, conversation: Conversation) -> Place | None:
        """Of one who comes, or comes back. None for one who does not wait."""
        if conversation.state not in ("waiting", "offered"):
            return None
        known = (await self.all()).get(conversation.id)
        if known is not None or conversation.state == "offered":
            return known or await self._one(conversation, 1)
        async with self._db.read() as session:
            position = await waiting.place_of(session, conversation)
        return await self._one(conversation, position)

    async def _one(self, conversation: Conversation, position: int) -> Place:
        pace = await self._paces()
        return Place(conversation.department_id, position, estimate(conversation.department_id, position, pace))

    async def _placed(self, line: Iterable[tuple[UUID, UUID]]) -> dict[UUID, Place]:
        pace = await self._paces()
        counts: dict[UUID, int] = {}
        places = {}
        for conversation_id, department in line:
            position = counts[department] = counts.get(department, 0) + 1
            places[conversation_id] = Place(department, position, estimate(department, position, pace))
        return places

    async def _paces(self) -> Mapping[UUID, float]:
        now = self._clock.monotonic()
        if now - self._paced_at >= PACE_SECONDS:
            async with self._db.read() as session:
                self._pace = await waiting.seconds_per_place(session, self._clock.now())
            self._paced_at = now
        return self._pace


def estimate(department: UUID, position: int, pace: Mapping[UUID, float]) -> float | None:
    seconds = pace.get(department)
    return None if seconds is None else max(1, round(seconds * position / 60)) * 60.0
