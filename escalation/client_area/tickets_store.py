"""What a customer reads of the account's tickets. Selects by the rights of the reader, and never a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import UTCDateTime, table_of
from chat.public import Department
from escalation.client_area.cursors import cursor_of, parsed
from escalation.customers.models import Customer
from escalation.customers.reader import FINANCIAL, CustomerReader
from escalation.models import Ticket, TicketMessage, TicketParticipant
from escalation.requesters_store import RequestersTicket, public_ticket
from escalation.states import State
from escalation.ticket_links import merged_into

PAGE = 20
MOST_OPEN = 200
SEARCH_LIMIT = 100


class Group(StrEnum):
    """Whose turn it is, as the customer reads it."""

    YOURS = "yours"
    OURS = "ours"
    DONE = "done"


STATES = {
    Group.YOURS: (State.WAITING_CUSTOMER,),
    Group.OURS: (State.NEW, State.OPEN, State.WAITING_THIRD_PARTY),
    Group.DONE: (State.SOLVED, State.CLOSED),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list."""

    id: UUID
    number: str
    subject: str
    state: str
    priority: int
    department: Mapping[str, str]
    at: datetime
    """Of the newest thing that the customer may see."""
    due_at: datetime | None
    due_metric: str


@dataclass(frozen=True, slots=True)
class Lines:
    rows: Sequence[Line]
    next: str
    """Cursor of the page after it; empty at the end."""


def seen_by(reader: CustomerReader) -> ColumnElement[bool]:
    """Those they act for, and those they take part in."""
    joined = select(TicketParticipant.ticket_id).where(TicketParticipant.customer_id == reader.customer_id)
    return or_(acted_for_by(reader), col(Ticket.id).in_(joined))


def acted_for_by(reader: CustomerReader) -> ColumnElement[bool]:
    """Their own tickets; with the right those of the account, of the financial department only with the other right."""
    own = col(Ticket.customer_id) == reader.customer_id
    if not reader.can_see_tickets:
        return own
    account = col(Ticket.account_id) == reader.account_id
    if not reader.can_see_billing:
        account = and_(account, col(Department.slug) != FINANCIAL)
    return or_(own, account)


async def may_see(session: AsyncSession, customer_id: UUID | None, ticket: Ticket) -> bool:
    """By the rights on the account as they are now."""
    customer = await session.get(Customer, customer_id) if customer_id is not None else None
    if customer is None:
        return False
    rights = (customer.can_see_tickets, customer.can_see_billing)
    reader = CustomerReader(customer.id, customer.name, customer.account_id, "", "", *rights, "", "")
    query = select(Ticket.id).join(Department, col(Department.id) == col(Ticket.department_id))
    return (await session.exec(query.where(col(Ticket.id) == ticket.id, seen_by(reader)))).first() is not None


async def lines_of(
    session: AsyncSession,
    reader: CustomerReader,
    group: Group,
    *,
    after: str = "",
    search: str = "",
    limit: int = PAGE,
) -> Lines:
    """The newest first. `search` looks for a number, and in subjects and public messages."""
    at = func.coalesce(col(Ticket.public_at), col(Ticket.created_at), type_=UTCDateTime)
    query = (
        select(Ticket, Department, at)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .where(seen_by(reader), col(Ticket.state).in_([state.value for state in STATES[group]]))
        .order_by(at.desc(), col(Ticket.id).desc())
        .limit(limit + 1)
    )
    if words := " ".join(search.split())[:SEARCH_LIMIT]:
        query = query.where(_mentions(words))
    if (start := parsed(after)) is not None:
        ends = (literal(start[0], UTCDateTime), literal(start[1], table_of(Ticket).c.id.type))
        query = query.where(tuple_(at, col(Ticket.id)) < tuple_(*ends))
    rows = (await session.exec(query)).all()
    found = [_line(*row) for row in rows[:limit]]
    return Lines(found, cursor_of(found[-1].at, found[-1].id) if len(rows) > limit else "")


async def open_by_service(session: AsyncSession, reader: CustomerReader) -> Mapping[UUID, Sequence[Line]]:
    """Open tickets that say which service they are about."""
    at = func.coalesce(col(Ticket.public_at), col(Ticket.created_at), type_=UTCDateTime)
    query = (
        select(Ticket, Department, at)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .where(seen_by(reader), col(Ticket.open).is_(True), col(Ticket.service_id).is_not(None))
        .order_by(at.desc(), col(Ticket.id).desc())
        .limit(MOST_OPEN)
    )
    found: dict[UUID, list[Line]] = {}
    for ticket, department, moment in await session.exec(query):
        if ticket.service_id is not None:
            found.setdefault(ticket.service_id, []).append(_line(ticket, department, moment))
    return found


async def customers_ticket(session: AsyncSession, reader: CustomerReader, number: str) -> RequestersTicket | None:
    """None for what does not exist and for what is not theirs, after the same query."""
    found = await session.exec(
        select(Ticket, acted_for_by(reader))
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .where(Ticket.number == number, seen_by(reader))
    )
    row = found.first()
    if row is None:
        return None
    ticket, acts_for = row
    target = await merged_into(session, ticket.id)
    is_seen = target is not None and await may_see(session, reader.customer_id, target)
    shown = await public_ticket(session, ticket)
    return replace(shown, goes_on=target.number if target and is_seen else "", takes_part=not acts_for)


def _line(ticket: Ticket, department: Department, at: datetime) -> Line:
    return Line(
        ticket.id,
        ticket.number,
        ticket.subject,
        ticket.state,
        ticket.priority,
        department.names,
        at,
        ticket.due_at,
        ticket.due_metric,
    )


def _mentions(words: str) -> ColumnElement[bool]:
    pattern = f"%{words.lower().replace('/', '//').replace('%', '/%').replace('_', '/_')}%"
    said = (
        select(TicketMessage.id)
        .where(
            TicketMessage.ticket_id == Ticket.id,
            TicketMessage.kind == "message",
            func.lower(col(TicketMessage.text)).like(pattern, escape="/"),
        )
        .exists()
    )
    return or_(
        func.lower(col(Ticket.number)).like(pattern, escape="/"),
        func.lower(col(Ticket.subject)).like(pattern, escape="/"),
        said,
    )
