"""Which conversations are a customer's: begun where the site had named them, or tied to a ticket of theirs."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, union
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from chat.public import Conversation
from escalation.client_area.models import VisitorIdentity
from escalation.models import Ticket, TicketConversation


def of_customer(customer_id: UUID, *others: Any) -> ColumnElement[bool]:
    """`others`: queries for ids of more. What was said before the site named them may have been somebody else at the
    same device."""
    talk = aliased(Conversation)
    named = (
        select(talk.id)
        .join(VisitorIdentity, col(VisitorIdentity.visitor_id) == col(talk.visitor_id))
        .where(
            VisitorIdentity.customer_id == customer_id,
            col(VisitorIdentity.named_at) <= col(talk.created_at),
        )
    )
    tie, ticket = aliased(TicketConversation), aliased(Ticket)
    tied = (
        select(tie.conversation_id)
        .join(ticket, col(ticket.id) == col(tie.ticket_id))
        .where(ticket.customer_id == customer_id)
    )
    # The few ids first: as one condition it would be asked of every conversation there is.
    return col(Conversation.id).in_(union(named, tied, *others))
