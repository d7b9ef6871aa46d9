"""The conversations of a customer, as the client area lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, literal, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import UTCDateTime, table_of
from chat.public import Conversation
from escalation.client_area.cursors import cursor_of, parsed
from escalation.customers.conversations import of_customer
from escalation.customers.reader import CustomerReader
from escalation.models import Ticket, TicketConversation

PAGE = 20


@dataclass(frozen=True, slots=True)
class Talk:
    """A row of the list."""

    id: UUID
    at: datetime
    ended: bool
    text: str
    """Of the newest message."""
    by_operator: bool
    number: str
    """Of its ticket, if the reader has it."""


@dataclass(frozen=True, slots=True)
class Talks:
    rows: Sequence[Talk]
    next: str


async def talks_of(session: AsyncSession, reader: CustomerReader, *, after: str = "", limit: int = PAGE) -> Talks:
    """The newest first. Of several tickets the newest counts, closed or not."""
    tie = aliased(TicketConversation)
    newest = (
        select(tie.id)
        .where(tie.conversation_id == Conversation.id)
        .order_by(col(tie.escalation_no).desc())
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )
    query = (
        select(Conversation, Ticket.number)
        .select_from(Conversation)
        .outerjoin(TicketConversation, col(TicketConversation.id) == newest)
        .outerjoin(
            Ticket,
            and_(col(Ticket.id) == col(TicketConversation.ticket_id), col(Ticket.customer_id) == reader.customer_id),
        )
        .where(of_customer(reader.customer_id))
        .order_by(col(Conversation.created_at).desc(), col(Conversation.id).desc())
        .limit(limit + 1)
    )
    if (start := parsed(after)) is not None:
        ends = (literal(start[0], UTCDateTime), literal(start[1], table_of(Conversation).c.id.type))
        query = query.where(tuple_(col(Conversation.created_at), col(Conversation.id)) < tuple_(*ends))
    rows = (await session.exec(query)).all()
    found = [
        Talk(
            one.id,
            one.created_at,
            one.state == "ended",
            one.last_message_text,
            one.last_message_by == "operator",
            number or "",
        )
        for one, number in rows[:limit]
    ]
    more = len(rows) > limit
    return Talks(found, cursor_of(found[-1].at, found[-1].id) if more else "")


async def is_theirs(session: AsyncSession, reader: CustomerReader, *conversation_ids: UUID) -> bool:
    """Any of these."""
    any_of_them = col(Conversation.id).in_(conversation_ids)
    found = await session.exec(select(Conversation.id).where(any_of_them, of_customer(reader.customer_id)).limit(1))
    return found.first() is not None
