"""Conversations in the operators' list: who waits for an operator, or for a word of this one. Reads only.

They share the order of service with tickets. The due of a conversation is what the policy of chat promises, counted
from when its visitor began to wait, so the order of dues is that of the index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, exists, or_, sql, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import UTCDateTime, table_of
from chat.public import Conversation, Department, Operator, Visitor
from escalation.models import TicketConversation
from escalation.queue import Standing
from escalation.reach import OperatorReader
from escalation.sla.policies import FIRST_REPLY, Policy, Subject, first_fitting
from escalation.states import HIGH, NORMAL

PRIORITIES = (HIGH, NORMAL)
Promises = Mapping[tuple[UUID, int], timedelta]
"""(department, priority) -> how soon a conversation there is to be answered."""


@dataclass(frozen=True, slots=True)
class WaitingConversation:
    id: UUID
    standing: Standing
    name: str
    """Empty where the visitor gave none."""
    text: str
    department: Mapping[str, str]
    operator_id: UUID | None
    operator_name: str
    state: str

    @property
    def place(self) -> str:
        return self.standing.place


def promises_of(policies: Sequence[Policy], departments: Mapping[UUID, str]) -> Promises:
    """`departments`: id -> slug."""
    found: dict[tuple[UUID, int], timedelta] = {}
    for identity, slug in departments.items():
        for priority in PRIORITIES:
            policy = first_fitting(policies, Subject("conversation", "chat", slug, priority))
            target = policy.targets.get(FIRST_REPLY) if policy else None
            found[identity, priority] = timedelta(seconds=target.target_seconds if target else 0)
    return found


async def standings(
    session: AsyncSession,
    reader: OperatorReader,
    promises: Promises,
    *,
    mine: bool = False,
    free: bool = False,
    department_id: UUID | None = None,
    after: Standing | None = None,
    limit: int = 50,
) -> list[Standing]:
    """Of conversations, in the order of service. `free`: those that wait for anybody, or are being offered to this
    reader. What belongs to a ticket stands in the list as that ticket."""
    kinds = ("waiting", "offered to me") if free else ("mine",) if mine else ("mine", "waiting", "offered")
    cells: list[str] = []
    values: dict[str, Any] = {"reader": reader.operator_id, "most": limit}
    for (department, priority), promise in promises.items():
        if department_id not in (None, department) or department not in reader.departments:
            continue
        cell, since = _behind(after, promise, priority)
        if cell:
            n = len(cells)
            cells.append(cell)
            values |= {f"department{n}": department, f"priority{n}": priority}
            if after is not None and since is not None:
                values |= {f"since{n}": since, f"id{n}": after.id}
    if not cells:
        return []
    return sorted(
        _standing(row.id, row.priority, row.waiting_since, promises[row.department_id, row.priority])
        for row in await session.execute(_of_cells(kinds, tuple(cells)), values)
    )[:limit]


@lru_cache(maxsize=256)
def _of_cells(kinds: tuple[str, ...], cells: tuple[str, ...]) -> Select[Any]:
    """The first `most` of each kind in each cell, which is a department and a priority with what of it is asked for:
    `department0`, `priority0`, `since0`, `id0` … Built once: putting it together takes longer than carrying it out."""
    rows = table_of(Conversation).c
    ours = rows.operator_id == bindparam("reader")
    of_kind: dict[str, tuple[ColumnElement[bool], ...]] = {
        "mine": (rows.state == "active", ours),
        "waiting": (rows.state == "waiting",),
        "offered": (rows.state == "offered",),
        "offered to me": (rows.state == "offered", ours),
    }
    parts: list[Any] = []
    for n, cell in enumerate(cells):
        since, identity = bindparam(f"since{n}", type_=UTCDateTime), bindparam(f"id{n}", type_=Uuid)
        behind = {
            "all": sql.true(),
            "from": rows.waiting_since >= since,
            "after": rows.waiting_since > since,
            "tie": or_(rows.waiting_since > since, and_(rows.waiting_since == since, rows.id > identity)),
        }[cell]
        there = (
            rows.department_id == bindparam(f"department{n}"),
            rows.priority == bindparam(f"priority{n}"),
            behind,
        )
        parts += [_part(*of_kind[kind], *there) for kind in kinds]
    return sql.select(union_all(*parts).subquery())


def _part(*conditions: ColumnElement[bool]) -> Any:
    rows, ties = table_of(Conversation).c, table_of(TicketConversation).c
    held = exists().where(ties.conversation_id == rows.id, ties.released_at.is_(None))
    part = (
        sql.select(rows.id, rows.priority, rows.waiting_since, rows.department_id)
        .where(*conditions, rows.waiting_since.is_not(None), ~held)
        .order_by(rows.waiting_since, rows.id)
        .limit(bindparam("most"))
    )
    return sql.select(part.subquery())


def _behind(after: Standing | None, promise: timedelta, priority: int) -> tuple[str, datetime | None]:
    """What of one department and priority comes behind a place, and since when it waits; empty where nothing does."""
    if after is None or (not after.theirs and priority > after.priority):
        return "all", None
    if after.theirs or priority < after.priority:
        return "", None
    since = after.due_at - promise
    if since > after.waiting_since:
        return "from", since
    return ("after" if since < after.waiting_since else "tie"), since


async def waiting_conversations(session: AsyncSession, standings: Sequence[Standing]) -> list[WaitingConversation]:
    """In this order; who was answered meanwhile is left out."""
    if not standings:
        return []
    rows, visitors = table_of(Conversation), table_of(Visitor)
    departments, operators = table_of(Department), table_of(Operator)
    found = await session.execute(
        sql.select(
            rows.c.id, rows.c.last_message_text, rows.c.operator_id, rows.c.state, visitors.c.name,
            departments.c.names, operators.c.name.label("operator"),
        )
        .join(visitors, visitors.c.id == rows.c.visitor_id)
        .join(departments, departments.c.id == rows.c.department_id)
        .outerjoin(operators, operators.c.id == rows.c.operator_id)
        .where(rows.c.id.in_([one.id for one in standings]), rows.c.waiting_since.is_not(None))
    )  # fmt: skip
    by_id = {row.id: row for row in found}
    return [
        WaitingConversation(
            id=row.id,
            standing=standing,
            name=(row.name or "").strip(),
            text=row.last_message_text,
            department=row.names,
            operator_id=row.operator_id,
            operator_name=row.operator or "",
            state=row.state,
        )
        for standing in standings
        if (row := by_id.get(standing.id)) is not None
    ]


def _standing(identity: UUID, priority: int, since: datetime, promise: timedelta) -> Standing:
    return Standing(0, priority, since + promise, since, identity)
