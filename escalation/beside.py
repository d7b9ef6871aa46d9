"""What stands beside a ticket for operators: tags, relatives, earlier conversations, who else looks. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Conversation, Operator, visible_to
from escalation.customers.conversations import of_customer
from escalation.lookers import Looker, lookers
from escalation.models import Ticket, TicketConversation, TicketParticipant, TicketTag
from escalation.participants import Invitation, invitations
from escalation.reach import OperatorReader
from escalation.relations import related
from escalation.ticket_links import participants_in

EARLIER = 10


@dataclass(frozen=True, slots=True)
class Relative:
    """`relation` as the template says it: merged, absorbed, split, split_from, follow-up,
    followed, linked. `subject` and `state` are empty
    where the reader does not reach it."""

    relation: str
    number: str
    subject: str
    state: str


@dataclass(frozen=True, slots=True)
class EarlierConversation:
    id: UUID
    text: str
    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Beside:
    tags: Sequence[str]
    relatives: Sequence[Relative]
    earlier: Sequence[EarlierConversation]
    """Of the customer and of the visitor behind the ticket, newest first, as far as the operator may see them."""
    lookers: Sequence[Looker]
    participants: Sequence[TicketParticipant]
    invitations: Mapping[UUID, Invitation]
    """Of those of them who have only a link."""


async def beside(
    session: AsyncSession, ticket: Ticket, operator: Operator, reader: OperatorReader, now: datetime
) -> Beside:
    tags = select(TicketTag.tag).where(TicketTag.ticket_id == ticket.id).order_by(col(TicketTag.tag))
    there = await participants_in(session, ticket.id)
    return Beside(
        tags=(await session.exec(tags)).all(),
        relatives=await _relatives(session, ticket, reader),
        earlier=await _earlier(session, ticket, operator),
        lookers=await lookers(session, ticket.id, operator.id, now),
        participants=there,
        invitations=await invitations(session, there),
    )


async def _relatives(session: AsyncSession, ticket: Ticket, reader: OperatorReader) -> list[Relative]:
    rows = await related(session, ticket.id)
    others = [other for _, other in rows]
    known = {one.id: one for one in await session.exec(select(Ticket).where(col(Ticket.id).in_(others)))}
    reached = set(await session.exec(select(Ticket.id).where(col(Ticket.id).in_(others), reader.reaches())))
    found = []
    for row, other in rows:
        relation = row.relation
        if row.other_id == ticket.id:
            relation = {"merged": "absorbed", "split": "split_from", "follow-up": "followed"}.get(relation, relation)
        one = known[other]
        seen = other in reached
        found.append(Relative(relation, one.number, one.subject if seen else "", one.state if seen else ""))
    return found


async def _earlier(session: AsyncSession, ticket: Ticket, operator: Operator) -> list[EarlierConversation]:
    ties = select(TicketConversation.conversation_id).where(TicketConversation.ticket_id == ticket.id)
    own = (await session.exec(ties)).all()
    talk = aliased(Conversation)
    visitors = select(talk.visitor_id).where(col(talk.id).in_(own))
    by_visitor = select(talk.id).where(col(talk.visitor_id).in_(visitors))
    theirs: ColumnElement[bool] = col(Conversation.id).in_(by_visitor)
    if ticket.customer_id is not None:
        theirs = of_customer(ticket.customer_id, by_visitor)
    found = await session.exec(
        select(Conversation)
        .where(
            theirs,
            col(Conversation.id).not_in(own),
            visible_to(operator),
        )
        .order_by(col(Conversation.created_at).desc())
        .limit(EARLIER)
    )
    return [
        EarlierConversation(one.id, one.last_message_text, one.last_message_at or one.created_at, one.state)
        for one in found
    ]
