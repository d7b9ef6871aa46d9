"""A conversation goes to another department or person: one transaction of its caller."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.entry import Author, EntryDraft, StoredEntry, event
from chat.conversations.models import INTERNAL, Message
from chat.conversations.streams import append
from chat.db import rows_changed, table_of
from chat.pairing import reasons, steps, waiting
from chat.pairing.presence import on_duty
from chat.people.models import Department, Operator
from chat.protocol.errors import AlreadyEnded, AtCapacity, NoSuchTarget, NoteMissing, RefTaken, UnknownConversation


@dataclass(frozen=True, slots=True)
class HandedOn:
    """`before`: who had it, if anybody."""

    before: UUID | None
    entries: list[StoredEntry]
    notes: list[StoredEntry]


async def handed_on(
    session: AsyncSession,
    conversation_id: UUID,
    by: Operator,
    note: str,
    *,
    to_operator: UUID | None,
    to_department: str | None,
    ref: str,
    now: datetime,
) -> HandedOn | None:
    """None where it was done before, under this `ref`."""
    if not note.strip():
        raise NoteMissing
    if (to_operator is None) == (to_department is None):
        raise NoSuchTarget
    author = Author("operator", by.id, by.name)
    locked = await steps.locked(session, conversation_id)
    if locked is None:
        raise UnknownConversation
    if locked.state == "ended":
        raise AlreadyEnded
    if await _is_known(session, conversation_id, ref):
        return None
    await steps.lock_operators(session, locked.operator_id, to_operator)
    if locked.operator_id is not None:
        await steps.end_assignment(session, conversation_id, locked.operator_id, "transferred", now)
    values: dict[str, Any] = {}
    target: dict[str, Any]
    if to_operator is not None:
        other = await session.get(Operator, to_operator, populate_existing=True)
        if other is None or not other.active or other.id == by.id:
            raise NoSuchTarget
        await _hold(session, other, now)
        session.add(steps.assignment(conversation_id, other.id, "offered", reasons.transferred(by.name), now))
        values |= {"state": "offered", "operator_id": other.id}
        target = {"operator": {"id": str(other.id), "name": other.name}}
    else:
        found = (
            (await session.execute(select(Department).where(col(Department.slug) == to_department))).scalars().first()
        )
        if found is None:
            raise NoSuchTarget
        values |= {"state": "waiting", "operator_id": None, "department_id": found.id}
        target = {"department": {"slug": found.slug, "names": found.names}}
    # An offer that is missed goes to the line, too.
    line = values.get("department_id", locked.department_id)
    since = await waiting.before_all(session, line, locked.priority, locked.waiting_since or now)
    await steps.set_values(session, conversation_id, waiting_since=since, **values)
    entries = await append(session, conversation_id, [event("transferred", author, **target)], now)
    notes = await append(
        session,
        conversation_id,
        [EntryDraft("note", author, note, data={"transfer": target}, ref=ref)],
        now,
        stream=INTERNAL,
    )
    return HandedOn(locked.operator_id, entries, notes)


async def _hold(session: AsyncSession, operator: Operator, now: datetime) -> None:
    """A place for what is offered. Raises AtCapacity."""
    operators = table_of(Operator)
    raised = await session.execute(
        update(operators)
        .where(
            operators.c.id == operator.id,
            operators.c.load < operators.c.capacity,
            operators.c.present,
            on_duty(now),
        )
        .values(load=operators.c.load + 1, assigned_at=now)
    )
    if not rows_changed(raised):
        raise AtCapacity


async def _is_known(session: AsyncSession, conversation_id: UUID, ref: str) -> bool:
    """Raises RefTaken where the `ref` is that of something else."""
    rows = table_of(Message)
    found = await session.execute(
        select(rows.c.data).where(rows.c.conversation_id == conversation_id, rows.c.ref == ref)
    )
    row = found.first()
    if row is not None and "transfer" not in row.data:
        raise RefTaken
    return row is not None
