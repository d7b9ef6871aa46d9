"""The queues: who waits, in which order, at which place. Every query walks `ix_conversation_waiting` in its order and
stops at a limit, or reads nothing but that index: the length of the queues costs a decision nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Integer, and_, bindparam, func, or_, select, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.db import table_of
from chat.pairing.models import Assignment
from chat.people.models import Department

_DEPARTMENTS = select(table_of(Department).c.id)
ENOUGH = 5
"""Below so many accepted offers in the last hours there is no honest estimate."""


@dataclass(frozen=True, slots=True)
class Waiter:
    id: UUID
    department_id: UUID
    priority: int
    since: datetime

    @property
    def order(self) -> tuple[int, datetime, UUID]:
        """First in, first out within priority: the one order of the dispatcher, of `w` and of the places."""
        return self.priority, self.since, self.id


async def all_departments(session: AsyncSession) -> list[UUID]:
    return list((await session.execute(_DEPARTMENTS)).scalars())


async def first(session: AsyncSession, departments: Sequence[UUID], limit: int = 1) -> list[Waiter]:
    """The first `limit` of each department, in the order of service."""
    if not departments:
        return []
    values = {f"department_{n}": department for n, department in enumerate(departments)}
    found = await session.execute(_heads(len(departments)), {**values, "most": limit})
    return sorted((Waiter(*row) for row in found), key=lambda one: one.order)


@cache
def _heads(departments: int) -> CompoundSelect[Any]:
    """Of so many departments. The dispatcher asks every second: to build it costs more than to execute it."""
    rows = table_of(Conversation)
    heads = [
        select(rows.c.id, rows.c.department_id, rows.c.priority, rows.c.waiting_since)
        .where(rows.c.state == "waiting", rows.c.department_id == bindparam(f"department_{n}"))
        .order_by(rows.c.priority, rows.c.waiting_since, rows.c.id)
        .limit(bindparam("most", type_=Integer()))
        .subquery()
        for n in range(departments)
    ]
    return union_all(*(select(head) for head in heads))


async def before_all(session: AsyncSession, department_id: UUID, priority: int, since: datetime) -> datetime:
    """`since`, or as much earlier as puts one who was being served at the head of the line: they have waited before,
    and the moment of their last word says nothing of it."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.waiting_since)
        .where(rows.c.state == "waiting", rows.c.department_id == department_id, rows.c.priority == priority)
        .order_by(rows.c.waiting_since, rows.c.id)
        .limit(1)
    )
    first = found.scalar_one_or_none()
    return since if first is None else min(since, first - timedelta(microseconds=1))


async def offered(session: AsyncSession) -> list[tuple[UUID, UUID]]:
    """Conversation and department of all that are being offered, before all who wait: few, since each takes the place
    of an operator."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.department_id, rows.c.id)
        .where(rows.c.state == "offered")
        .order_by(rows.c.department_id, rows.c.priority, rows.c.waiting_since, rows.c.id)
    )
    return [(row.id, row.department_id) for row in found]


async def everybody(session: AsyncSession) -> list[tuple[UUID, UUID]]:
    """Conversation and department of all who wait, each department in its order."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.department_id, rows.c.id)
        .where(rows.c.state == "waiting")
        .order_by(rows.c.department_id, rows.c.priority, rows.c.waiting_since, rows.c.id)
    )
    return [(row.id, row.department_id) for row in found]


async def place_of(session: AsyncSession, conversation: Conversation) -> int:
    """The place of one who waits: how many are served before, and one."""
    rows = table_of(Conversation)
    own_department = rows.c.department_id == conversation.department_id
    counted = await session.execute(
        select(func.count())
        .select_from(rows)
        .where(
            rows.c.state == "waiting",
            own_department,
            or_(
                rows.c.priority < conversation.priority,
                and_(
                    rows.c.priority == conversation.priority,
                    or_(
                        rows.c.waiting_since < conversation.waiting_since,
                        and_(rows.c.waiting_since == conversation.waiting_since, rows.c.id < conversation.id),
                    ),
                ),
            ),
        )
    )
    before = await session.execute(
        select(func.count()).select_from(rows).where(rows.c.state == "offered", own_department)
    )
    return int(counted.scalar_one()) + int(before.scalar_one()) + 1


async def counts(session: AsyncSession) -> dict[UUID, tuple[int, datetime | None]]:
    """By department: how many wait or are being offered, and since when the one who waits longest."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.department_id, func.count(), func.min(rows.c.waiting_since))
        .where(rows.c.state.in_(("waiting", "offered")))
        .group_by(rows.c.department_id)
    )
    return {department: (count, oldest) for department, count, oldest in found}


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
