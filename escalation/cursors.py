"""How far tickets have what was said in their conversations: a tie is a cursor, what lies above is still to come.

What was written at the ticket stands in the conversation under a `ref` of its own, and does not come back.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from chat.public import Conversation, Message
from escalation.models import TicketConversation

REF = "ticket-message:"
"""Before the id of a ticket's message, in the conversation."""

_BEHIND = (
    select(TicketConversation.conversation_id)
    .join(Conversation, col(Conversation.id) == col(TicketConversation.conversation_id))
    .where(
        col(TicketConversation.released_at).is_(None),
        col(Conversation.last_seq) > col(TicketConversation.copied_seq),
    )
)


def held_by_ticket(conversation_id: UUID) -> SelectOfScalar[TicketConversation]:
    """The tie of the ticket to which it belongs now."""
    return select(TicketConversation).where(
        TicketConversation.conversation_id == conversation_id, col(TicketConversation.released_at).is_(None)
    )


async def left_behind(session: AsyncSession) -> Sequence[UUID]:
    """Conversations in which something happened that their ticket does not have yet."""
    return (await session.exec(_BEHIND.limit(200))).all()


async def behind_among(session: AsyncSession, conversations: Sequence[UUID]) -> Sequence[UUID]:
    """Those of these."""
    return (await session.exec(_BEHIND.where(col(TicketConversation.conversation_id).in_(conversations)))).all()


async def behind_of(session: AsyncSession, ticket_id: UUID) -> Sequence[UUID]:
    """Those of this ticket."""
    return (await session.exec(_BEHIND.where(col(TicketConversation.ticket_id) == ticket_id))).all()


async def is_in_a_ticket(session: AsyncSession, conversation_id: UUID, seq: int) -> bool:
    """Also in one that has let the conversation go."""
    tie = select(TicketConversation.id).where(
        TicketConversation.conversation_id == conversation_id, col(TicketConversation.copied_seq) >= seq
    )
    return (await session.exec(tie.limit(1))).first() is not None


async def is_unheard(session: AsyncSession, ticket_id: UUID) -> bool:
    """Whether somebody said something that the ticket does not have yet."""
    above = (
        select(Message.id)
        .join(TicketConversation, col(TicketConversation.conversation_id) == col(Message.conversation_id))
        .where(
            col(TicketConversation.ticket_id) == ticket_id,
            col(TicketConversation.released_at).is_(None),
            col(Message.stream) == "public",
            col(Message.kind) == "message",
            col(Message.seq) > col(TicketConversation.copied_seq),
            col(Message.ref).is_(None) | ~col(Message.ref).startswith(REF),
        )
    )
    return (await session.exec(above.limit(1))).first() is not None
