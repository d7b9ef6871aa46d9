"""Which conversations an operator finds in the inbox, however many there are: the first of each queue, of each
department, by the indices in their order. Nothing is read to be thrown away."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.console.rows import ConversationRow, rows_of, service_order
from chat.conversations.models import Conversation
from chat.db import table_of
from chat.people.models import SUPERVISING, Department, Operator, OperatorDepartment

RECENTLY_ENDED = 15
PRIORITIES = (0, 1)


async def departments_of(session: AsyncSession, operator: Operator) -> list[UUID]:
    """Whose conversations this operator sees, beside those that are theirs."""
    if operator.role in SUPERVISING:
        return list((await session.execute(select(table_of(Department).c.id))).scalars())
    members = table_of(OperatorDepartment)
    mine = select(members.c.department_id).where(members.c.operator_id == operator.id)
    return list((await session.execute(mine)).scalars())


async def inbox_rows(
    session: AsyncSession, operator: Operator, departments: Sequence[UUID], limit: int = 200
) -> list[ConversationRow]:
    """What is open, high priority first, then who waits longest; then what ended lately.

    Their own come first when there are more than `limit`; of those in which it is the visitor's turn the newest.
    """
    rows = await rows_of(session, await _open(session, operator.id, departments, limit))
    ended = await rows_of(session, await _ended(session, operator.id, departments))
    ended.sort(key=lambda row: row.last_message_at, reverse=True)
    return sorted(rows, key=service_order) + ended[:RECENTLY_ENDED]


async def _open(session: AsyncSession, operator_id: UUID, departments: Sequence[UUID], limit: int) -> list[UUID]:
    rows = table_of(Conversation)
    oldest = (rows.c.priority, rows.c.waiting_since, rows.c.id)
    parts = [_part(limit, rows.c.operator_id == operator_id, rows.c.state == state) for state in ("offered", "active")]
    others = rows.c.operator_id.is_distinct_from(operator_id)
    for department in departments:
        there = rows.c.department_id == department
        parts += [
            _part(limit, rows.c.state == "waiting", there, order=oldest),
            _part(limit, rows.c.state == "offered", there, others, order=oldest),
        ]
        for priority in PRIORITIES:
            active = (rows.c.state == "active", there, rows.c.priority == priority, others)
            newest = (rows.c.waiting_since.desc(), rows.c.id.desc())
            parts += [
                _part(limit, *active, rows.c.waiting_since.is_not(None), order=(rows.c.waiting_since, rows.c.id)),
                _part(limit, *active, rows.c.waiting_since.is_(None), order=newest),
            ]
    found = union_all(*parts).subquery()
    first = (
        select(found.c.id)
        .order_by(
            found.c.operator_id.is_distinct_from(operator_id),
            found.c.priority,
            found.c.waiting_since.is_(None),
            found.c.waiting_since,
            found.c.last_message_at.desc(),
        )
        .limit(limit)
    )
    return list((await session.execute(first)).scalars())


async def _ended(session: AsyncSession, operator_id: UUID, departments: Sequence[UUID]) -> list[UUID]:
    rows = table_of(Conversation)
    said = rows.c.last_message_text != ""
    lately = rows.c.ended_at.desc()
    theirs = (rows.c.operator_id == operator_id, rows.c.state == "ended", rows.c.ended_at.is_not(None), said)
    parts = [_part(RECENTLY_ENDED, *theirs, order=(lately,))]
    for department in departments:
        there = rows.c.department_id == department
        parts.append(_part(RECENTLY_ENDED, there, rows.c.ended_at.is_not(None), said, order=(lately,)))
        parts += [
            _part(
                RECENTLY_ENDED,
                *(rows.c.state == "left", there, rows.c.priority == priority, rows.c.waiting_since.is_(None), said),
                order=(rows.c.waiting_since.desc(), rows.c.id.desc()),
            )
            for priority in PRIORITIES
        ]
    found = union_all(*parts).subquery()
    return list((await session.execute(select(found.c.id).distinct())).scalars())


def _part(
    limit: int, *conditions: ColumnElement[bool], order: Sequence[ColumnElement[object]] = ()
) -> Select[tuple[UUID]]:
    rows = table_of(Conversation)
    part = (
        select(rows.c.id, rows.c.operator_id, rows.c.priority, rows.c.waiting_since, rows.c.last_message_at)
        .where(*conditions)
        .order_by(*order)
        .limit(limit)
        .subquery()
    )
    return select(part)
