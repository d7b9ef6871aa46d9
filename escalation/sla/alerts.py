"""Which alarms concern an operator now: read from the clocks, so that a lost hint costs nothing."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Operator, duty_of
from escalation.models import SlaClock, SlaEvent, Ticket
from escalation.sla.crew import SUPERVISING, in_department

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """`step` of the newest alarm that is for this reader: assigned, offer, supervisor, breached."""

    number: str
    subject: str
    step: str
    due_at: datetime | None
    version: int
    department_only: bool
    """Nobody is assigned: it is for all of the department."""


async def alerts_for(session: AsyncSession, operator: Operator, now: datetime) -> list[Alert]:
    """The nearest due first, one for each ticket. It ends with the reply. Nobody is alerted off duty, but to what is
    theirs."""
    found = await session.exec(
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
    on_shift = duty_of(operator).holds(now)
    departments = await in_department(session, operator.id)
    alerts: dict[UUID, Alert] = {}
    for ticket, clock, event in found:
        step = "breached" if event.type == "breached" else str(event.data["step"])
        if ticket.id not in alerts and _concerns(operator, departments, ticket, step, event, on_shift=on_shift):
            alerts[ticket.id] = Alert(
                ticket.number, ticket.subject, step, clock.due_at, ticket.version, ticket.operator_id is None
            )
    return list(alerts.values())[:SHOWN]


def _concerns(
    operator: Operator, departments: set[UUID], ticket: Ticket, step: str, event: SlaEvent, *, on_shift: bool
) -> bool:
    """A breach is for those who supervise and for who has the ticket."""
    theirs = ticket.operator_id == operator.id
    if not on_shift:
        return theirs
    match step:
        case "assigned":
            unheld = ticket.operator_id is None or "absent" in event.data
            return theirs or (unheld and ticket.department_id in departments)
        case "offer":
            return not theirs and event.data.get("operator") == str(operator.id)
        case "breached":
            return theirs or operator.role in SUPERVISING
        case _:
            return operator.role in SUPERVISING
