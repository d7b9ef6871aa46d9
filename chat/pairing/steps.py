"""The conditional UPDATEs and queries that pairing is made of, each in its caller's transaction.

Locks are taken in one order everywhere: department, conversation, operators by their ids.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, true, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.db import rows_changed, table_of
from chat.pairing.models import Assignment
from chat.pairing.presence import is_online
from chat.pairing.routing import Candidate
from chat.people.models import Department, Operator, OperatorDepartment

BEST = 8
"""The choice among them is the choice among all: they come in its order."""


async def locked(session: AsyncSession, conversation_id: UUID) -> Conversation | None:
    statement = (
        select(Conversation)
        .where(col(Conversation.id) == conversation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalars().first()


async def lock_operators(session: AsyncSession, *ids: UUID | None) -> None:
    """In the order of their ids, so that two transfers that cross cannot deadlock."""
    operators = table_of(Operator)
    wanted = [one for one in ids if one is not None]
    await session.execute(
        select(operators.c.id).where(operators.c.id.in_(wanted)).order_by(operators.c.id).with_for_update()
    )


async def set_values(session: AsyncSession, conversation_id: UUID, **values: Any) -> None:
    rows = table_of(Conversation)
    await session.execute(update(rows).where(rows.c.id == conversation_id).values(version=rows.c.version + 1, **values))


async def end_assignment(
    session: AsyncSession, conversation_id: UUID, operator_id: UUID, because: str, now: datetime
) -> None:
    """Ends the open assignment and gives its place back; only once, however often it is called."""
    assignments, operators = table_of(Assignment), table_of(Operator)
    ended = await session.execute(
        update(assignments)
        .where(
            assignments.c.conversation_id == conversation_id,
            assignments.c.operator_id == operator_id,
            assignments.c.state != "ended",
        )
        .values(state="ended", ended_at=now, ended_because=because)
    )
    if count := rows_changed(ended):
        await session.execute(
            update(operators).where(operators.c.id == operator_id).values(load=operators.c.load - count)
        )


async def is_offered(session: AsyncSession, assignment_id: UUID) -> bool:
    rows = table_of(Assignment)
    found = await session.execute(select(rows.c.id).where(rows.c.id == assignment_id, rows.c.state == "offered"))
    return found.first() is not None


async def with_room(session: AsyncSession, departments: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of the departments where somebody could be offered something."""
    rows, members, operators = table_of(Department), table_of(OperatorDepartment), table_of(Operator)
    somebody = exists(
        select(members.c.operator_id)
        .join(operators, operators.c.id == members.c.operator_id)
        .where(members.c.department_id == rows.c.id, ready(now))
    )
    found = await session.execute(select(rows.c.id).where(rows.c.id.in_(departments), somebody))
    return set(found.scalars())


async def held(session: AsyncSession, department: UUID) -> bool:
    """Holds the decisions of a department until the end of the transaction; False where another process has them.

    Without it every process would try the same offer at the same moment and all but one in vain. Inserts of
    conversations go on: a foreign key needs a weaker lock only.
    """
    rows = table_of(Department)
    lock = select(rows.c.id).where(rows.c.id == department).with_for_update(key_share=True, skip_locked=True)
    return (await session.execute(lock)).first() is not None


async def candidates(session: AsyncSession, conversation: Conversation, now: datetime) -> tuple[list[Candidate], int]:
    """The best few of those who could take it, and how many could. Who has passed this very conversation on comes
    after all others, so they are looked up only where nobody else has room."""
    assignments = table_of(Assignment)
    found = await session.execute(
        select(assignments.c.operator_id, func.count())
        .where(
            assignments.c.conversation_id == conversation.id,
            assignments.c.ended_because.in_(("missed", "declined")),
        )
        .group_by(assignments.c.operator_id)
    )
    missed: dict[UUID, int] = {row[0]: int(row[1]) for row in found}
    operators = table_of(Operator)
    fresh = await _best(session, conversation, now, operators.c.id.not_in(missed) if missed else true(), {})
    if fresh[0] or not missed:
        return fresh
    return await _best(session, conversation, now, operators.c.id.in_(missed), missed)


async def _best(
    session: AsyncSession,
    conversation: Conversation,
    now: datetime,
    among: ColumnElement[bool],
    missed: Mapping[UUID, int],
) -> tuple[list[Candidate], int]:
    operators, members = table_of(Operator), table_of(OperatorDepartment)
    limit = max(BEST, len(missed))
    rows = (
        await session.execute(
            select(
                operators.c.id,
                operators.c.load,
                operators.c.capacity,
                operators.c.assigned_at,
                func.count().over(),
            )
            .join(members, members.c.operator_id == operators.c.id)
            .where(members.c.department_id == conversation.department_id, ready(now), among)
            .order_by(
                operators.c.load * 1.0 / operators.c.capacity, operators.c.assigned_at.nulls_first(), operators.c.id
            )
            .limit(limit)
        )
    ).all()
    best = [Candidate(id_, load, capacity, missed.get(id_, 0), at) for id_, load, capacity, at, _ in rows]
    return best, int(rows[0][4]) if rows else 0


def ready(now: datetime) -> ColumnElement[bool]:
    """Of an operator: may be offered something now."""
    operators = table_of(Operator)
    return and_(is_online(now), operators.c.load < operators.c.capacity)
