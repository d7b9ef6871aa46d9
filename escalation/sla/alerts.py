"""Which alarms concern an operator now: read from the clocks, so that a lost hint costs nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import table_of
from chat.public import Conversation, Operator, Visitor, duty_of
from escalation.models import SlaClock, SlaEvent, SlaSeen, Ticket
from escalation.sla.crew import SUPERVISING, in_department

SHOWN = 5
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


async def alerts_for(session: AsyncSession, operator: Operator, now: datetime, *, seen: bool = False) -> list[Alert]:
    """The nearest due first, one for each ticket or conversation. It ends with the reply, or for who has acknowledged
    it with the next step (`seen`: those too). Nobody is alerted off duty, but to what is theirs."""
    departments = await in_department(session, operator.id)
    on_shift = duty_of(operator).holds(now)
    marked = set(await session.exec(select(SlaSeen.event_id).where(SlaSeen.operator_id == operator.id)))
    found: list[Alert] = []
    for ticket, clock, event in await _of_tickets(session):
        found += _of_ticket(operator, departments, ticket, clock, event, on_shift)
    for talk, clock, event, name in await _of_talks(session, now):
        found += _of_talk(operator, departments, talk, clock, event, name or "", on_shift)
    alerts: dict[tuple[str, UUID | None], Alert] = {}
    for alert in found:
        alerts.setdefault((alert.number, alert.conversation_id), alert)
    kept = [alert for alert in alerts.values() if seen or alert.event_id not in marked]
    return sorted(kept, key=lambda alert: (alert.due_at is None, alert.due_at))[:SHOWN]


async def _of_tickets(session: AsyncSession) -> Iterable[tuple[Ticket, SlaClock, SlaEvent]]:
    return await session.exec(
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
        .limit(500)
    )


async def _of_talks(
    session: AsyncSession, now: datetime
) -> Iterable[tuple[Conversation, SlaClock, SlaEvent, str | None]]:
    """What runs, then what only asks for its reason: each by an index of its own."""
    running = and_(col(SlaClock.state) == "running", col(SlaEvent.type).in_(("alarm", "breached")))
    asks = and_(
        col(SlaClock.state) == "met", col(SlaClock.reason) == "", col(SlaClock.breached_at) >= now - ASKED_FOR,
        col(SlaEvent.type) == "breached",
    )  # fmt: skip
    found = list(await _talks_with(session, running, col(SlaClock.due_at)))
    return [*found, *await _talks_with(session, asks, col(SlaClock.breached_at))]


async def _talks_with(
    session: AsyncSession, which: ColumnElement[bool], first: Mapped[datetime | None]
) -> Iterable[tuple[Conversation, SlaClock, SlaEvent, str | None]]:
    return await session.exec(
        select(Conversation, SlaClock, SlaEvent, Visitor.name)
        .join(SlaClock, col(SlaClock.subject_id) == col(Conversation.id))
        .join(SlaEvent, col(SlaEvent.clock_id) == col(SlaClock.id))
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .where(SlaClock.subject_kind == "conversation", which)
        .order_by(first, col(Conversation.id), col(SlaEvent.at).desc(), col(SlaEvent.id).desc())
        .limit(500)
    )


def _of_ticket(
    operator: Operator, departments: set[UUID], ticket: Ticket, clock: SlaClock, event: SlaEvent, on_shift: bool
) -> list[Alert]:
    step = "breached" if event.type == "breached" else str(event.data["step"])
    if not _concerns(operator, departments, ticket.operator_id, ticket.department_id, step, event, on_shift):
        return []
    unheld = ticket.operator_id is None
    return [
        Alert(
            event.id, step, clock.due_at, unheld, clock.id,
            number=ticket.number, subject=ticket.subject, version=ticket.version,
        )
    ]  # fmt: skip


def _of_talk(
    operator: Operator, departments: set[UUID], talk: Conversation, clock: SlaClock, event: SlaEvent, name: str,
    on_shift: bool,
) -> list[Alert]:  # fmt: skip
    step = "breached" if event.type == "breached" else str(event.data["step"])
    holder = talk.operator_id if talk.state in ("active", "ended") else None
    if not _concerns(operator, departments, holder, talk.department_id, step, event, on_shift):
        return []
    step = "explain" if clock.state == "met" else step
    return [
        Alert(
            event.id, step, clock.due_at, holder is None, clock.id,
            subject=talk.last_message_text, conversation_id=talk.id, name=name,
        )
    ]  # fmt: skip


def _concerns(
    operator: Operator, departments: set[UUID], holder: UUID | None, department: UUID, step: str, event: SlaEvent,
    on_shift: bool,
) -> bool:  # fmt: skip
    """A breach is for those who supervise and for who has it."""
    theirs = holder == operator.id
    if not on_shift:
        return theirs
    match step:
        case "assigned":
            return theirs or ((holder is None or "absent" in event.data) and department in departments)
        case "offer":
            return not theirs and event.data.get("operator") == str(operator.id)
        case "breached":
            return theirs or operator.role in SUPERVISING
        case _:
            return operator.role in SUPERVISING


class NoSuchAlarm(LookupError):
    """There is none, or it is nobody's business who asks."""


async def acknowledge(session: AsyncSession, operator: Operator, event_id: UUID, now: datetime) -> SlaEvent | None:
    """The alarm is shown to this operator no more; the event where this call was the first of theirs. Raises
    NoSuchAlarm for what is not shown to them."""
    shown = await alerts_for(session, operator, now, seen=True)
    if event_id not in {alert.event_id for alert in shown}:
        raise NoSuchAlarm
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    mark = insert(table_of(SlaSeen)).values(event_id=event_id, operator_id=operator.id, at=now)
    marked = await session.execute(mark.on_conflict_do_nothing().returning(table_of(SlaSeen).c.event_id))
    return await session.get_one(SlaEvent, event_id) if marked.first() is not None else None
