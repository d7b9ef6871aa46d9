"""What operators read of tickets. The requester's queries stand apart, in `requesters_store`: none takes a flag."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, sql, union_all
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from chat.db import table_of
from chat.public import Department, Operator
from escalation.models import (
    SlaClock,
    Ticket,
    TicketConversation,
    TicketEvent,
    TicketIp,
    TicketMention,
    TicketMessage,
    TicketOrder,
    TicketTranscript,
)
from escalation.queue import Lane, bounds_of
from escalation.reach import OperatorReader

PAGE = 50
MANY = 100
"""More are not counted."""


@dataclass(frozen=True, slots=True)
class QueuedTicket:
    """A row of the list."""

    ticket: Ticket
    department: Department
    operator: Operator | None
    breached: bool = False


@dataclass(frozen=True, slots=True)
class OperatorsTicket:
    """Everything of one ticket, notes included."""

    ticket: Ticket
    department: Department
    operator: Operator | None
    messages: Sequence[TicketMessage]
    transcripts: Mapping[UUID, TicketTranscript]
    """By conversation: there are several after a merge."""
    events: Sequence[TicketEvent]
    orders: Sequence[str]
    addresses: Sequence[str]
    clocks: Sequence[SlaClock]
    """In the order they started, cancelled ones left out."""
    conversation_id: UUID | None
    holds: bool
    """What is said in a conversation still comes here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets of those in reach. `free`: nobody has them."""

    lane: Lane = "open"
    mine: bool = False
    free: bool = False
    department_id: UUID | None = None


async def places(
    session: AsyncSession, reader: OperatorReader, wanted: Wanted, *, after: str = "", limit: int = PAGE
) -> dict[str, UUID]:
    """Place -> id of the first `limit` behind the place `after`, in the order of service."""
    first = _first(reader, wanted, after, limit)
    return {} if first is None else {row.place: row.id for row in await session.execute(first)}


async def queued(session: AsyncSession, tickets: Collection[UUID]) -> Sequence[QueuedTicket]:
    """In the order of service."""
    if not tickets:
        return []
    query = (
        select(Ticket, Department, Operator)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .outerjoin(Operator, col(Operator.id) == col(Ticket.operator_id))
        .where(col(Ticket.id).in_(tickets))
        .order_by(col(Ticket.place))
    )
    rows = (await session.exec(query)).all()
    broken = await _breached_among(session, tickets)
    return [QueuedTicket(*row, breached=row[0].id in broken) for row in rows]


async def count_of(session: AsyncSession, reader: OperatorReader, wanted: Wanted) -> int:
    """At most MANY: only so many rows are touched."""
    first = _first(reader, wanted, "", MANY)
    if first is None:
        return 0
    count: int = (await session.execute(sql.select(sql.func.count()).select_from(first.subquery()))).scalar_one()
    return count


def _first(reader: OperatorReader, wanted: Wanted, after: str, limit: int) -> sql.Select[Any] | None:
    """(id, place). By the index of each department, so that nothing is read to be thrown away. None: out of reach."""
    rows = table_of(Ticket).c
    lower, upper = bounds_of(wanted.lane)
    within: list[ColumnElement[bool]] = [
        rows.place > after if after > lower else rows.place >= lower,
        rows.place < upper,
    ]
    if wanted.free:
        within.append(rows.operator_id.is_(None))
    mine = rows.operator_id == reader.operator_id
    conditions: list[ColumnElement[bool]] = []
    if wanted.mine:
        conditions.append(mine)
    else:
        asked = [one for one in reader.departments if wanted.department_id in (None, one)]
        conditions += [rows.department_id == one for one in asked]
        if not reader.supervises and not wanted.free:
            conditions += [one & _elsewhere(reader, wanted) for one in (mine, _named(reader))]
    if not conditions:
        return None
    parts: list[Any] = [
        sql.select(sql.select(rows.id, rows.place).where(*within, one).order_by(rows.place).limit(limit).subquery())
        for one in conditions
    ]
    found = union_all(*parts).subquery()
    return sql.select(found.c.id, found.c.place).distinct().order_by(found.c.place).limit(limit)


def _named(reader: OperatorReader) -> ColumnElement[bool]:
    named = select(TicketMention.ticket_id).where(TicketMention.operator_id == reader.operator_id)
    return table_of(Ticket).c.id.in_(named)


def _elsewhere(reader: OperatorReader, wanted: Wanted) -> ColumnElement[bool]:
    """What the departments of the reader have not shown yet."""
    department = table_of(Ticket).c.department_id
    if wanted.department_id is not None:
        return department == wanted.department_id
    return department.not_in(reader.departments)


async def _breached_among(session: AsyncSession, tickets: Collection[UUID]) -> set[UUID]:
    """Those with a promise that is broken and still waits for its reply."""
    found = await session.exec(
        select(SlaClock.subject_id).where(
            SlaClock.subject_kind == "ticket",
            col(SlaClock.subject_id).in_(tickets),
            # What runs has not been met: said by the state, SQLite would look at all that run and are late.
            col(SlaClock.met_at).is_(None),
            col(SlaClock.breached_at).is_not(None),
        )
    )
    return set(found)


async def ticket_by_number(session: AsyncSession, number: str, reader: OperatorReader) -> Ticket | None:
    if not number.isprintable():
        return None  # PostgreSQL refuses NUL even in a question
    return (await session.exec(select(Ticket).where(Ticket.number == number, reader.reaches()))).first()


async def message_of(session: AsyncSession, ticket_id: UUID, seq: int) -> TicketMessage | None:
    found = await session.exec(
        select(TicketMessage).where(TicketMessage.ticket_id == ticket_id, TicketMessage.seq == seq)
    )
    return found.first()


async def has_noted(session: AsyncSession, number: str, operator_id: UUID, ref: str) -> bool:
    """Whether this very operator sent this very note, wherever the ticket is by now."""
    if not number.isprintable():
        return False
    query = (
        select(TicketMessage.id)
        .join(Ticket, col(Ticket.id) == col(TicketMessage.ticket_id))
        .where(Ticket.number == number, TicketMessage.ref == ref, TicketMessage.author_id == operator_id)
    )
    return (await session.exec(query)).first() is not None


async def is_reached(session: AsyncSession, ticket_id: UUID, reader: OperatorReader) -> bool:
    return (await session.exec(select(Ticket.id).where(Ticket.id == ticket_id, reader.reaches()))).first() is not None


async def ticket_holding(session: AsyncSession, conversation_id: UUID) -> Ticket | None:
    """The ticket that the conversation belongs to; one that was closed or detached holds it no longer."""
    query = (
        select(Ticket)
        .join(TicketConversation, col(TicketConversation.ticket_id) == col(Ticket.id))
        .where(TicketConversation.conversation_id == conversation_id, col(TicketConversation.released_at).is_(None))
    )
    return (await session.exec(query)).first()


async def operators_ticket(session: AsyncSession, number: str, reader: OperatorReader) -> OperatorsTicket | None:
    """None for a ticket that is out of the reader's reach, as for one that does not exist."""
    ticket = await ticket_by_number(session, number, reader)
    if ticket is None:
        return None
    ties = (
        await session.exec(
            select(TicketConversation)
            .where(TicketConversation.ticket_id == ticket.id)
            .order_by(col(TicketConversation.id))
        )
    ).all()
    return OperatorsTicket(
        ticket=ticket,
        department=await session.get_one(Department, ticket.department_id),
        operator=await session.get(Operator, ticket.operator_id) if ticket.operator_id else None,
        messages=(await session.exec(_messages(ticket.id))).all(),
        transcripts={one.conversation_id: one for one in await session.exec(_transcripts(ticket.id))},
        events=(
            await session.exec(
                select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(col(TicketEvent.seq))
            )
        ).all(),
        orders=(
            await session.exec(
                select(TicketOrder.value).where(TicketOrder.ticket_id == ticket.id).order_by(col(TicketOrder.value))
            )
        ).all(),
        addresses=(
            await session.exec(
                select(TicketIp.value).where(TicketIp.ticket_id == ticket.id).order_by(col(TicketIp.value))
            )
        ).all(),
        clocks=(
            await session.exec(
                select(SlaClock)
                .where(
                    SlaClock.subject_kind == "ticket", SlaClock.subject_id == ticket.id, SlaClock.state != "cancelled"
                )
                .order_by(col(SlaClock.started_at), col(SlaClock.id))
            )
        ).all(),
        conversation_id=ties[0].conversation_id if ties else None,
        holds=any(tie.released_at is None for tie in ties),
    )


async def without_place(session: AsyncSession) -> Sequence[UUID]:
    """Tickets that a program of an older version has opened: no list shows them yet."""
    departments = table_of(Department).c.id
    query = select(Ticket.id).where(col(Ticket.department_id).in_(sql.select(departments)), Ticket.place == "")
    return (await session.exec(query.limit(200))).all()


def _messages(ticket_id: UUID) -> SelectOfScalar[TicketMessage]:
    return select(TicketMessage).where(TicketMessage.ticket_id == ticket_id).order_by(col(TicketMessage.seq))


def _transcripts(ticket_id: UUID) -> SelectOfScalar[TicketTranscript]:
    """The newest revision of each conversation last."""
    of_ticket = select(TicketTranscript).where(TicketTranscript.ticket_id == ticket_id)
    return of_ticket.order_by(col(TicketTranscript.revision))
