"""Which alarms concern an operator now: read from the clocks, so that a lost hint costs nothing."""

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, not_, null, or_, sql
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import insert_for, table_of
from chat.public import Conversation, Operator, Visitor, duty_of
from escalation.models import SlaClock, SlaEvent, SlaSeen, Ticket
from escalation.sla.concerned import running_for
from escalation.sla.crew import SUPERVISING, in_department

SHOWN = 5
LOOKS = (20, 500)
"""So many clocks are looked at, and if too few of them are left to be shown, so many."""
LOOKED_AT = 1000
"""Breaches that ask for their reason."""
HELD = ("active", "ended")
_HOLDER = case((col(Conversation.state).in_(HELD), col(Conversation.operator_id)), else_=null())
ASKED_FOR = timedelta(days=1)
"""So long a breach of a conversation that was answered in the end asks for its reason."""


@dataclass(frozen=True, slots=True)
class Alert:
    """`step` of the newest alarm that is for this reader: assigned, offer, supervisor, breached, explain."""

    event_id: UUID
    step: str
    due_at: datetime | None
    department_only: bool
    """Nobody is assigned: it is for all of the department."""
    clock_id: UUID
    number: str = ""
    """Of a ticket; of a conversation, `conversation_id` and the name of the visitor."""
    subject: str = ""
    version: int = 0
    conversation_id: UUID | None = None
    name: str = ""
    seen: bool = False


async def alerts_for(
    session: AsyncSession, operator: Operator, now: datetime, *, seen: bool = False, clock_id: UUID | None = None
) -> list[Alert]:
    """The nearest due first, one for each ticket or conversation. It ends with the reply, or for who has acknowledged
    it with the next step (`seen`: those too). Nobody is alerted off duty, but to what is theirs. `clock_id`: of this
    clock alone."""
    departments = await in_department(session, operator.id)
    reader = _Reader(operator, departments, on_shift=duty_of(operator).holds(now))
    if clock_id is not None:
        found = await _alerts(session, reader, [clock_id], now, col(SlaClock.id) == clock_id)
        return await _shown(session, operator, found, seen=seen)
    for most in LOOKS:
        running = await reader.running(session, most)
        shown = await _shown(session, operator, await _alerts(session, reader, running, now), seen=seen)
        # Of what was acknowledged there is seldom so much that it hides the rest.
        if len(shown) >= SHOWN or len(running) < most:
            break
    return shown[:SHOWN]


async def _alerts(
    session: AsyncSession, reader: "_Reader", running: Sequence[UUID], now: datetime, *which: ColumnElement[bool]
) -> list[Alert]:
    """`running`: clocks that may concern the reader. What only asks for its reason is looked for besides, of those of
    `which`."""
    found: list[Alert] = []
    if running:
        # Of a running clock; said by its state, SQLite would look at all that run.
        these = (col(SlaClock.id).in_(running), col(SlaClock.met_at).is_(None), _RINGS)
        tickets = (await session.execute(_of_tickets(reader).where(*these))).all()
        talks = (await session.execute(_of_talks(reader).where(*these))).all()
        found += [_of_ticket(row) for row in _in_order(tickets) if row.open]
        found += [_of_talk(row) for row in _in_order(talks)]
    asks = sql.select(_CLOCKS.id).where(
        _CLOCKS.state == "met", _CLOCKS.reason == "", _CLOCKS.breached_at >= now - ASKED_FOR,
        _CLOCKS.subject_kind == "conversation", *which,
    )  # fmt: skip
    # By themselves: how few these are PostgreSQL cannot know, and it would read all events there are beside them.
    late = (await session.execute(asks.order_by(_CLOCKS.breached_at.desc()).limit(LOOKED_AT))).scalars().all()
    if late:
        why = _of_talks(reader).where(col(SlaClock.id).in_(late), col(SlaEvent.type) == "breached")
        found += [_of_talk(row) for row in _in_order((await session.execute(why)).all())]
    alerts: dict[tuple[str, UUID | None], Alert] = {}
    for alert in found:
        alerts.setdefault((alert.number, alert.conversation_id), alert)
    return list(alerts.values())


async def _shown(session: AsyncSession, operator: Operator, found: Sequence[Alert], *, seen: bool) -> list[Alert]:
    mine = select(SlaSeen.event_id).where(
        SlaSeen.operator_id == operator.id, col(SlaSeen.event_id).in_([alert.event_id for alert in found])
    )
    marked = set(await session.exec(mine)) if found and not seen else set()
    return sorted((alert for alert in found if alert.event_id not in marked), key=_due)


@dataclass(frozen=True, slots=True)
class _Reader:
    operator: Operator
    departments: Collection[UUID]
    _: KW_ONLY
    on_shift: bool

    async def running(self, session: AsyncSession, most: int) -> list[UUID]:
        ordered = sorted(self.departments)
        query = running_for(len(ordered), on_shift=self.on_shift, supervises=self.operator.role in SUPERVISING)
        values: dict[str, Any] = {"operator": self.operator.id, "most": most}
        if self.on_shift:
            values |= {"departments": ordered} | {f"department{n}": one for n, one in enumerate(ordered)}
        return [row.id for row in await session.execute(query, values)]

    def concerned(self, holder: ColumnElement[Any], where: type[Ticket | Conversation]) -> ColumnElement[bool]:
        department = table_of(where).c.department_id
        return _concerns(self.operator, self.departments, holder, department, on_shift=self.on_shift)


_CLOCKS = table_of(SlaClock).c
_RINGS = col(SlaEvent.type).in_(("alarm", "breached"))
_OF_CLOCK = (
    *(_CLOCKS[name] for name in ("subject_id", "due_at")),
    *(_CLOCKS[name].label(f"clock_{name}") for name in ("id", "state")),
    *(table_of(SlaEvent).c[name].label(f"event_{name}") for name in ("id", "type", "data", "at")),
)


def _of_tickets(reader: _Reader) -> Select[Any]:
    tickets = table_of(Ticket).c
    shown = (tickets[name] for name in ("operator_id", "number", "subject", "version", "open"))
    return (
        sql.select(*_OF_CLOCK, *shown)
        .select_from(SlaClock)
        .join(Ticket, tickets.id == col(SlaClock.subject_id))
        .join(SlaEvent, col(SlaEvent.clock_id) == col(SlaClock.id))
        .where(reader.concerned(tickets.operator_id, Ticket))
    )


def _of_talks(reader: _Reader) -> Select[Any]:
    talks = table_of(Conversation).c
    return (
        sql.select(*_OF_CLOCK, talks.operator_id, talks.state, talks.last_message_text, col(Visitor.name))
        .select_from(SlaClock)
        .join(Conversation, talks.id == col(SlaClock.subject_id))
        .join(SlaEvent, col(SlaEvent.clock_id) == col(SlaClock.id))
        .join(Visitor, col(Visitor.id) == talks.visitor_id)
        .where(reader.concerned(_HOLDER, Conversation))
    )


def _in_order(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The nearest due first, and of each the newest event."""
    newest = sorted(rows, key=lambda row: (row.event_at, row.event_id), reverse=True)
    return sorted(newest, key=lambda row: (row.due_at is None, row.due_at, row.subject_id))


def _of_ticket(row: Row[Any]) -> Alert:
    return Alert(
        row.event_id, _step(row), row.due_at, row.operator_id is None, row.clock_id,
        number=row.number, subject=row.subject, version=row.version,
    )  # fmt: skip


def _of_talk(row: Row[Any]) -> Alert:
    unheld = row.operator_id is None or row.state not in HELD
    step = "explain" if row.clock_state == "met" else _step(row)
    return Alert(
        row.event_id, step, row.due_at, unheld, row.clock_id,
        subject=row.last_message_text, conversation_id=row.subject_id, name=row.name or "",
    )  # fmt: skip


def _step(row: Row[Any]) -> str:
    return "breached" if row.event_type == "breached" else str(row.event_data["step"])


def _due(alert: Alert) -> tuple[bool, datetime | None]:
    return alert.due_at is None, alert.due_at


def _concerns(
    operator: Operator, departments: Collection[UUID], holder: ColumnElement[Any], department: ColumnElement[Any],
    *, on_shift: bool,
) -> ColumnElement[bool]:  # fmt: skip
    """A breach is for those who supervise and for who has it. In the query: what is for others must not fill it."""
    theirs = and_(holder.is_not(None), holder == operator.id)
    if not on_shift:
        return theirs
    data, breach = col(SlaEvent.data), col(SlaEvent.type) == "breached"
    step = data["step"].as_string()
    absent = data["absent"].as_string().is_not(None)
    found = [
        and_(theirs, or_(breach, step == "assigned")),
        and_(step == "assigned", or_(holder.is_(None), absent), department.in_(departments)),
        and_(step == "offer", not_(theirs), data["operator"].as_string() == str(operator.id)),
    ]
    if operator.role in SUPERVISING:
        found.append(or_(breach, step.not_in(("assigned", "offer"))))
    return or_(*found)


class NoSuchAlarm(LookupError):
    """There is none, or it is nobody's business who asks."""


async def acknowledge(session: AsyncSession, operator: Operator, event_id: UUID, now: datetime) -> SlaEvent | None:
    """The alarm is shown to this operator no more; the event where this call was the first of theirs. Raises
    NoSuchAlarm for what is not shown to them."""
    event = await session.get(SlaEvent, event_id)
    if event is None:
        raise NoSuchAlarm
    shown = await alerts_for(session, operator, now, seen=True, clock_id=event.clock_id)
    if event_id not in {alert.event_id for alert in shown}:
        raise NoSuchAlarm
    mark = insert_for(session)(table_of(SlaSeen)).values(event_id=event_id, operator_id=operator.id, at=now)
    marked = await session.execute(mark.on_conflict_do_nothing().returning(table_of(SlaSeen).c.event_id))
    return event if marked.first() is not None else None
