"""What the console shows beside a conversation: how surely it is known who asks, their open tickets, and of an
identified requester the account with its services."""

from collections.abc import Sequence
from uuid import UUID

from markupsafe import Markup
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.pages import Pages
from chat.public import Conversation, Operator
from escalation.actions import Tickets
from escalation.customers.known import IDENTIFIED, NAMED, Known, known, known_of_visitor
from escalation.models import Ticket, TicketConversation
from escalation.reach import OperatorReader, reader_of
from escalation.urgency import is_urgent

SHOWN = 10


class AboutRequester:
    def __init__(self, tickets: Tickets, pages: Pages) -> None:
        self._tickets = tickets
        self._pages = pages

    async def of_conversation(self, conversation_id: UUID, operator: Operator, locale: str) -> Markup:
        """The caller has checked that the operator may see the conversation."""
        transcript = await self._tickets.conversations.transcript_of(conversation_id)
        if transcript is None:
            return Markup()
        async with self._tickets.db.read() as session:
            reader = await reader_of(session, operator)
            tickets = await _of_visitor(session, conversation_id, reader)
        named = await self._tickets.registry.named_in(conversation_id)
        level = NAMED if named else transcript.visitor.verify_level
        hurries = level < IDENTIFIED and any(
            said.author_kind == "visitor" and is_urgent(said.text) for said in transcript.messages
        )
        about = self._partial("desk/_standing.html", locale, level=level, tickets=tickets, hurries=hurries)
        if named is None:
            return about + await self.html(transcript.visitor.email or "", level, reader, locale)
        found = await known_of_visitor(self._tickets.db, self._tickets.registry, named.customer_id, reader)
        return about + self._account(found, locale)

    async def html(self, address: str, level: int, reader: OperatorReader, locale: str) -> Markup:
        """Empty for everybody who is not identified."""
        found = await known(self._tickets.db, self._tickets.registry, address, level, reader)
        return self._account(found, locale)

    def _account(self, found: Known | None, locale: str) -> Markup:
        return self._partial("desk/_account.html", locale, known=found) if found is not None else Markup()

    def _partial(self, name: str, locale: str, **context: object) -> Markup:
        # The partial has escaped what people wrote.
        return Markup(self._pages.partial(name, locale, **context))  # noqa: S704


async def _of_visitor(session: AsyncSession, conversation_id: UUID, reader: OperatorReader) -> Sequence[Ticket]:
    """Open ones that came of any conversation with this visitor, in the order of service."""
    visitor = select(Conversation.visitor_id).where(Conversation.id == conversation_id)
    ties = (
        select(TicketConversation.ticket_id)
        .join(Conversation, col(Conversation.id) == col(TicketConversation.conversation_id))
        .where(col(Conversation.visitor_id).in_(visitor))
    )
    found = await session.exec(
        select(Ticket)
        .where(col(Ticket.id).in_(ties), col(Ticket.open).is_(True), reader.reaches())
        .order_by(col(Ticket.place))
        .limit(SHOWN)
    )
    return found.all()
