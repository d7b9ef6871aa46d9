"""The conditional UPDATEs and queries that pairing is made of, each in its caller's transaction.

Locks are taken in one order everywhere: conversation, then operators by their ids.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.db import rows_changed, table_of
from chat.pairing.models import Assignment
from chat.pairing.routing import Candidate
from chat.people.models import Operator, OperatorDepartment


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


async def departments_with_room(session: AsyncSession) -> list[UUID]:
    operators, members = table_of(Operator), table_of(OperatorDepartment)
    found = await session.execute(
        select(members.c.department_id)
        .distinct()
        .join(operators, operators.c.id == members.c.operator_id)
        .where(
            operators.c.present,
            operators.c.status == "online",
            operators.c.active,
            operators.c.load < operators.c.capacity,
        )
    )
    return list(found.scalars())


async def candidates(session: AsyncSession, conversation: Conversation) -> list[Candidate]:
    operators, members, assignments = table_of(Operator), table_of(OperatorDepartment), table_of(Assignment)
    missed = (
        select(func.count())
        .where(
            assignments.c.conversation_id == conversation.id,
            assignments.c.operator_id == operators.c.id,
            assignments.c.ended_because.in_(("missed", "declined")),
        )
        .scalar_subquery()
        .label("missed")
    )
    found = await session.execute(
        select(operators.c.id, operators.c.load, operators.c.capacity, operators.c.assigned_at, missed)
        .join(members, members.c.operator_id == operators.c.id)
        .where(
            members.c.department_id == conversation.department_id,
            operators.c.present,
            operators.c.status == "online",
            operators.c.active,
            operators.c.load < operators.c.capacity,
        )
    )
    return [Candidate(row.id, row.load, row.capacity, int(row.missed), row.assigned_at) for row in found]
