"""The queues: who waits, in which order, at which place, for about how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.db import table_of
from chat.pairing.models import Assignment

ENOUGH = 5
"""Below so many accepted offers in the last hours there is no honest estimate."""


@dataclass(frozen=True, slots=True)
class Place:
    conversation_id: UUID
    department_id: UUID
    position: int


async def oldest(
    session: AsyncSession, departments: Sequence[UUID] | None = None, limit: int = 1
) -> Sequence[Conversation]:
    """First in, first out within priority: one ORDER BY for the dispatcher, `w` and the places."""
    statement = select(Conversation).where(col(Conversation.state) == "waiting")
    if departments is not None:
        statement = statement.where(col(Conversation.department_id).in_(departments))
    statement = statement.order_by(
        col(Conversation.priority), col(Conversation.waiting_since), col(Conversation.id)
    ).limit(limit)
    return (await session.execute(statement)).scalars().all()


async def places(session: AsyncSession) -> list[Place]:
    """The place of everybody who waits or is being offered, counted per department."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.id, rows.c.department_id)
        .where(rows.c.state.in_(("waiting", "offered")))
        .order_by(rows.c.state != "offered", rows.c.priority, rows.c.waiting_since, rows.c.id)
    )
    counts: dict[UUID, int] = {}
    result = []
    for row in found:
        counts[row.department_id] = counts.get(row.department_id, 0) + 1
        result.append(Place(row.id, row.department_id, counts[row.department_id]))
    return result


async def seconds_per_place(session: AsyncSession, now: datetime) -> dict[UUID, float]:
    """By department: how long one place in the line took in the last three hours, measured as the time between
    accepted offers. Departments with fewer than `ENOUGH` are absent: no number rather than a guess."""
    assignments, conversations = table_of(Assignment), table_of(Conversation)
    since = now - timedelta(hours=3)
    found = await session.execute(
        select(conversations.c.department_id, func.count(), func.min(assignments.c.accepted_at))
        .join(conversations, conversations.c.id == assignments.c.conversation_id)
        .where(assignments.c.accepted_at > since)
        .group_by(conversations.c.department_id)
    )
    return {department: (now - first).total_seconds() / count for department, count, first in found if count >= ENOUGH}


def estimate(place: Place, pace: Mapping[UUID, float]) -> float | None:
    """Seconds in whole minutes, at least one; None where nothing honest can be said."""
    seconds = pace.get(place.department_id)
    return None if seconds is None else max(1, round(seconds * place.position / 60)) * 60.0
