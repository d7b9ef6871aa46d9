"""The conditional UPDATEs and queries that pairing is made of, each in its caller's transaction.

Locks are taken in one order everywhere: department, conversation, operators by their ids.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.db import rows_changed, table_of
from chat.ids import new_id
from chat.pairing.models import Assignment
from chat.pairing.presence import NOW, is_online
from chat.pairing.reasons import Reason, written
from chat.pairing.routing import Candidate
from chat.people.models import Department, Operator, OperatorDepartment

BEST = 8
"""The choice among them is the choice among all: they come in its order."""


async def locked(session: AsyncSession, conversation_id: UUID) -> Conversation | None:
    return (await session.execute(_LOCK, {"conversation": conversation_id})).scalars().first()


async def lock_operators(session: AsyncSession, *ids: UUID | None) -> None:
    """In the order of their ids, so that two transfers that cross cannot deadlock."""
    operators = table_of(Operator)
    wanted = [one for one in ids if one is not None]
    await session.execute(
        select(operators.c.id).where(operators.c.id.in_(wanted)).order_by(operators.c.id).with_for_update()
    )


async def set_values(session: AsyncSession, conversation_id: UUID, **values: Any) -> None:
    await session.execute(_SET, {"conversation": conversation_id, **values})


async def end_assignment(
    session: AsyncSession, conversation_id: UUID, operator_id: UUID, because: str, now: datetime
) -> None:
    """Ends the open assignment and gives its place back; only once, however often it is called."""
    ended = await session.execute(
        _END, {"conversation": conversation_id, "operator": operator_id, "at": now, "because": because}
    )
    if count := rows_changed(ended):
        await session.execute(_UNLOAD, {"operator": operator_id, "count": count})


def assignment(conversation_id: UUID, operator_id: UUID, state: str, reason: Reason, now: datetime) -> Assignment:
    """A new one, to be added: offered, or accepted at once."""
    return Assignment(
        id=new_id(),
        conversation_id=conversation_id,
        operator_id=operator_id,
        state=state,
        reason=written(reason),
        offered_at=now,
        accepted_at=now if state == "accepted" else None,
    )


async def is_offered(session: AsyncSession, assignment_id: UUID) -> bool:
    rows = table_of(Assignment)
    found = await session.execute(select(rows.c.id).where(rows.c.id == assignment_id, rows.c.state == "offered"))
    return found.first() is not None


async def with_room(session: AsyncSession, departments: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of the departments where somebody could be offered something."""
    found = await session.execute(_WITH_ROOM, {"departments": list(departments), "now": now})
    return set(found.scalars())


async def held(session: AsyncSession, department: UUID) -> bool:
    """Holds the decisions of a department until the end of the transaction; False where another process has them.

    Without it every process would try the same offer at the same moment and all but one in vain. Inserts of
    conversations go on: a foreign key needs a weaker lock only.
    """
    return (await session.execute(_HOLD, {"department": department})).first() is not None


async def candidates(session: AsyncSession, conversation: Conversation, now: datetime) -> tuple[list[Candidate], int]:
    """The best few of those who could take it, and how many could. Who has passed this very conversation on comes
    after all others, so they are looked up only where nobody else has room."""
    found = await session.execute(_PASSED_ON, {"conversation": conversation.id})
    missed: dict[UUID, int] = {row[0]: int(row[1]) for row in found}
    if not missed:
        return await _best(session, conversation, now, _BEST, {})
    fresh = await _best(session, conversation, now, _BEST_OF_OTHERS, {}, missed)
    return fresh if fresh[0] else await _best(session, conversation, now, _BEST_OF_THESE, missed, missed)


async def _best(
    session: AsyncSession,
    conversation: Conversation,
    now: datetime,
    statement: Select[Any],
    missed: Mapping[UUID, int],
    these: Collection[UUID] = (),
) -> tuple[list[Candidate], int]:
    values = {"department": conversation.department_id, "now": now, "most": max(BEST, len(missed))}
    rows = (await session.execute(statement, values | ({"these": list(these)} if these else {}))).all()
    best = [Candidate(id_, load, capacity, missed.get(id_, 0), at) for id_, load, capacity, at, _ in rows]
    return best, int(rows[0][4]) if rows else 0


def ready(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Of an operator: may be offered something now."""
    operators = table_of(Operator)
    return and_(is_online(now), operators.c.load < operators.c.capacity)


async def take_place(session: AsyncSession, operator_id: UUID, now: datetime) -> bool:
    """One more for the operator, if they may still be offered something."""
    return bool(rows_changed(await session.execute(_LOAD, {"operator": operator_id, "now": now})))


async def accepted(session: AsyncSession, conversation_id: UUID, operator_id: UUID, now: datetime) -> None:
    await session.execute(_ACCEPT, {"conversation": conversation_id, "operator": operator_id, "at": now})


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────

# Each conversation meets all of them: to build one costs as much as to execute it.

_conversations, _assignments, _operators = table_of(Conversation), table_of(Assignment), table_of(Operator)
_departments, _members = table_of(Department), table_of(OperatorDepartment)
_LOCK = (
    select(Conversation)
    .where(col(Conversation.id) == bindparam("conversation"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_SET = (
    update(_conversations)
    .where(_conversations.c.id == bindparam("conversation"))
    .values(version=_conversations.c.version + 1)
)
"""With the columns that it is executed with."""
_END = (
    update(_assignments)
    .where(
        _assignments.c.conversation_id == bindparam("conversation"),
        _assignments.c.operator_id == bindparam("operator"),
        _assignments.c.state != "ended",
    )
    .values(state="ended", ended_at=bindparam("at"), ended_because=bindparam("because"))
)
_ACCEPT = (
    update(_assignments)
    .where(
        _assignments.c.conversation_id == bindparam("conversation"),
        _assignments.c.operator_id == bindparam("operator"),
        _assignments.c.state == "offered",
    )
    .values(state="accepted", accepted_at=bindparam("at"))
)
_LOAD = (
    update(_operators)
    .where(_operators.c.id == bindparam("operator"), ready(NOW))
    .values(load=_operators.c.load + 1, assigned_at=NOW)
)
_UNLOAD = (
    update(_operators)
    .where(_operators.c.id == bindparam("operator"))
    .values(load=_operators.c.load - bindparam("count"))
)
_HOLD = (
    select(_departments.c.id)
    .where(_departments.c.id == bindparam("department"))
    .with_for_update(key_share=True, skip_locked=True)
)
_WITH_ROOM = select(_departments.c.id).where(
    _departments.c.id.in_(bindparam("departments", expanding=True)),
    exists(
        select(_members.c.operator_id)
        .join(_operators, _operators.c.id == _members.c.operator_id)
        .where(_members.c.department_id == _departments.c.id, ready(NOW))
    ),
)
_PASSED_ON = (
    select(_assignments.c.operator_id, func.count())
    .where(
        _assignments.c.conversation_id == bindparam("conversation"),
        _assignments.c.ended_because.in_(("missed", "declined")),
    )
    .group_by(_assignments.c.operator_id)
)
_BEST: Select[Any] = (
    select(_operators.c.id, _operators.c.load, _operators.c.capacity, _operators.c.assigned_at, func.count().over())
    .join(_members, _members.c.operator_id == _operators.c.id)
    .where(_members.c.department_id == bindparam("department"), ready(NOW))
    .order_by(_operators.c.load * 1.0 / _operators.c.capacity, _operators.c.assigned_at.nulls_first(), _operators.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_BEST_OF_OTHERS = _BEST.where(_operators.c.id.not_in(bindparam("these", expanding=True)))
_BEST_OF_THESE = _BEST.where(_operators.c.id.in_(bindparam("these", expanding=True)))
