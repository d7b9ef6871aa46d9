"""What operators read of tickets. The requester's queries stand apart, in `requesters_store`: none takes a flag."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from chat.public import Conversation, Department, Operator
from escalation.models import (
    SlaClock,
    Ticket,
    TicketConversation,
    TicketEvent,
    TicketIp,
    TicketMessage,
    TicketOrder,
    TicketTranscript,
)
from escalation.queue import QueueKey, after, key_of, queue_order
from escalation.states import State

PAGE = 50
Lane = Literal["open", "mine", "solved", "all"]


@dataclass(frozen=True, slots=True)
class QueuedTicket:
    """A row of the list."""

    ticket: Ticket
    department: Department
    operator: Operator | None
    breached: bool = False


@dataclass(frozen=True, slots=True)
class QueuePage:
    rows: Sequence[QueuedTicket]
    next: QueueKey | None


@dataclass(frozen=True, slots=True)
class OperatorsTicket:
    """Everything of one ticket, notes included."""

    ticket: Ticket
    department: Department
    operator: Operator | None
    messages: Sequence[TicketMessage]
    transcript: TicketTranscript | None
    events: Sequence[TicketEvent]
    orders: Sequence[str]
    addresses: Sequence[str]
    clocks: Sequence[SlaClock]
    """In the order they started, cancelled ones left out."""
    conversation_id: UUID | None


async def queue_page(
    session: AsyncSession, lane: Lane, operator_id: UUID, *, start: QueueKey | None = None, limit: int = PAGE
) -> QueuePage:
    """One page of a lane in the order of service."""
    query = (
        select(Ticket, Department, Operator)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .outerjoin(Operator, col(Operator.id) == col(Ticket.operator_id))
        .where(*_in_lane(lane, operator_id))
        .order_by(*queue_order())
        .limit(limit + 1)
    )
    if start is not None:
        query = query.where(after(start))
    rows = (await session.exec(query)).all()
    broken = await _breached_among(session, [ticket.id for ticket, _, _ in rows])
    found = [QueuedTicket(*row, breached=row[0].id in broken) for row in rows]
    more = len(found) > limit
    return QueuePage(found[:limit], key_of(found[limit - 1].ticket) if more else None)


async def _breached_among(session: AsyncSession, tickets: Sequence[UUID]) -> set[UUID]:
    """Those with a promise that is broken and still waits for its reply."""
    found = await session.exec(
        select(SlaClock.subject_id).where(
            SlaClock.subject_kind == "ticket",
            col(SlaClock.subject_id).in_(tickets),
            SlaClock.state == "running",
            col(SlaClock.breached_at).is_not(None),
        )
    )
    return set(found)


async def lane_counts(session: AsyncSession, operator_id: UUID) -> dict[str, int]:
    lanes: tuple[Lane, ...] = ("open", "mine", "solved", "all")
    counts: dict[str, int] = {}
    for lane in lanes:
        counted = select(func.count()).select_from(Ticket).where(*_in_lane(lane, operator_id))
        counts[lane] = (await session.exec(counted)).one()
    return counts


def _in_lane(lane: Lane, operator_id: UUID) -> list[bool]:
    match lane:
        case "open":
            return [col(Ticket.open).is_(True)]  # type: ignore[list-item]
        case "mine":
            return [col(Ticket.open).is_(True), Ticket.operator_id == operator_id]  # type: ignore[list-item]
        case "solved":
            return [Ticket.state == State.SOLVED.value]
        case "all":
            return []


async def ticket_by_number(session: AsyncSession, number: str) -> Ticket | None:
    return (await session.exec(select(Ticket).where(Ticket.number == number))).first()


async def ticket_of_conversation(session: AsyncSession, conversation_id: UUID) -> Ticket | None:
    """The ticket that holds the conversation, else the last one that did."""
    query = (
        select(Ticket)
        .join(TicketConversation, col(TicketConversation.ticket_id) == col(Ticket.id))
        .where(TicketConversation.conversation_id == conversation_id)
        .order_by(col(TicketConversation.escalation_no).desc())
    )
    return (await session.exec(query)).first()


async def operators_ticket(session: AsyncSession, number: str) -> OperatorsTicket | None:
    ticket = await ticket_by_number(session, number)
    if ticket is None:
        return None
    conversation = select(TicketConversation.conversation_id).where(TicketConversation.ticket_id == ticket.id)
    return OperatorsTicket(
        ticket=ticket,
        department=await session.get_one(Department, ticket.department_id),
        operator=await session.get(Operator, ticket.operator_id) if ticket.operator_id else None,
        messages=(await session.exec(_messages(ticket.id))).all(),
        transcript=(await session.exec(_transcript(ticket.id))).first(),
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
        conversation_id=(await session.exec(conversation.order_by(col(TicketConversation.id)))).first(),
    )


async def left_behind(session: AsyncSession) -> Sequence[UUID]:
    """Conversations in which something was said that their ticket does not have yet."""
    query = (
        select(TicketConversation.conversation_id)
        .join(Conversation, col(Conversation.id) == col(TicketConversation.conversation_id))
        .where(
            col(TicketConversation.released_at).is_(None),
            col(Conversation.last_seq) > col(TicketConversation.copied_seq),
        )
    )
    return (await session.exec(query.limit(200))).all()


async def held_among(session: AsyncSession, conversations: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the conversations that belong to a ticket."""
    query = select(TicketConversation.conversation_id).where(
        col(TicketConversation.conversation_id).in_(conversations), col(TicketConversation.released_at).is_(None)
    )
    return (await session.exec(query)).all()


def _messages(ticket_id: UUID) -> SelectOfScalar[TicketMessage]:
    return select(TicketMessage).where(TicketMessage.ticket_id == ticket_id).order_by(col(TicketMessage.seq))


def _transcript(ticket_id: UUID) -> SelectOfScalar[TicketTranscript]:
    of_ticket = select(TicketTranscript).where(TicketTranscript.ticket_id == ticket_id)
    return of_ticket.order_by(col(TicketTranscript.revision).desc())
