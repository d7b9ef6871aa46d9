"""Which alarms concern an operator now: read from the clocks, so that a lost hint costs nothing."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, not_, null, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from chat.db import table_of
from chat.public import Conversation, Operator, Visitor, duty_of
from escalation.models import SlaClock, SlaEvent, SlaSeen, Ticket
from escalation.sla.crew import SUPERVISING, in_department

SHOWN = 5
LOOKED_AT = 500
"""Events that concern who asks: of one clock there are few."""
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
    on_shift = duty_of(operator).holds(now)
    marked = set(await session.exec(select(SlaSeen.event_id).where(SlaSeen.operator_id == operator.id)))
    within = [col(SlaClock.id) == clock_id] if clock_id is not None else []

    def concerns(holder: ColumnElement[Any], where: type[Ticket | Conversation]) -> ColumnElement[bool]:
        return _concerns(operator, departments, holder, table_of(where).c.department_id, on_shift=on_shift)

    found: list[Alert] = []
    for ticket, clock, event in await session.exec(
        _of_tickets().where(*within, concerns(table_of(Ticket).c.operator_id, Ticket))
    ):
        found.append(_of_ticket(ticket, clock, event))
    for query in _of_talks(now):
        for talk, clock, event, name in await session.exec(query.where(*within, concerns(_HOLDER, Conversation))):
            found.append(_of_talk(talk, clock, event, name or ""))
    alerts: dict[tuple[str, UUID | None], Alert] = {}
    for alert in found:
        alerts.setdefault((alert.number, alert.conversation_id), alert)
    kept = [alert for alert in alerts.values() if seen or alert.event_id not in marked]
    return sorted(kept, key=lambda alert: (alert.due_at is None, alert.due_at))[:SHOWN]


def _of_tickets() -> Select[Ticket, SlaClock, SlaEvent]:
    return (
        select(Ticket, SlaClock, SlaEvent)
        .join(SlaClock, col(SlaClock.subject_id) == col(Ticket.id))
        .join(SlaEvent, col(SlaEvent.clock_id) == col(SlaClock.id))
        .where(
            SlaClock.subject_kind == "ticket",
            SlaClock.state == "running",
            col(SlaEvent.type).in_(("alarm", "breached")),
            col(Ticket.open).is_(True),
        )
        .order_by(col(SlaClock.due_at), col(Ticket.id), col(SlaEvent.at).desc(), col(SlaEvent.id).desc())
        .limit(LOOKED_AT)
    )


def _of_talks(now: datetime) -> list[Select[Conversation, SlaClock, SlaEvent, str | None]]:
    """What runs, then what only asks for its reason: each by an index of its own."""
    running = and_(col(SlaClock.state) == "running", col(SlaEvent.type).in_(("alarm", "breached")))
    asks = and_(
        col(SlaClock.state) == "met", col(SlaClock.reason) == "", col(SlaClock.breached_at) >= now - ASKED_FOR,
        col(SlaEvent.type) == "breached",
    )  # fmt: skip
    return [_talks_with(running, col(SlaClock.due_at)), _talks_with(asks, col(SlaClock.breached_at))]


def _talks_with(
    which: ColumnElement[bool], first: Mapped[datetime | None]
) -> Select[Conversation, SlaClock, SlaEvent, str | None]:
    return (
        select(Conversation, SlaClock, SlaEvent, Visitor.name)
        .join(SlaClock, col(SlaClock.subject_id) == col(Conversation.id))
        .join(SlaEvent, col(SlaEvent.clock_id) == col(SlaClock.id))
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .where(SlaClock.subject_kind == "conversation", which)
        .order_by(first, col(Conversation.id), col(SlaEvent.at).desc(), col(SlaEvent.id).desc())
        .limit(LOOKED_AT)
    )


def _of_ticket(ticket: Ticket, clock: SlaClock, event: SlaEvent) -> Alert:
    return Alert(
        event.id, _step(event), clock.due_at, ticket.operator_id is None, clock.id,
        number=ticket.number, subject=ticket.subject, version=ticket.version,
    )  # fmt: skip


def _of_talk(talk: Conversation, clock: SlaClock, event: SlaEvent, name: str) -> Alert:
    unheld = talk.operator_id is None or talk.state not in HELD
    step = "explain" if clock.state == "met" else _step(event)
    return Alert(
        event.id, step, clock.due_at, unheld, clock.id,
        subject=talk.last_message_text, conversation_id=talk.id, name=name,
    )  # fmt: skip


def _step(event: SlaEvent) -> str:
    return "breached" if event.type == "breached" else str(event.data["step"])


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
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    mark = insert(table_of(SlaSeen)).values(event_id=event_id, operator_id=operator.id, at=now)
    marked = await session.execute(mark.on_conflict_do_nothing().returning(table_of(SlaSeen).c.event_id))
    return event if marked.first() is not None else None
