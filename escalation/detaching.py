"""A conversation goes on without the ticket that was made of it; it may become another one."""

from uuid import UUID

from sqlmodel import col, select

from chat.public import transcript_of
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.models import TicketConversation


async def detach(tickets: Tickets, ticket_id: UUID, actor: Actor, *, version: int) -> None:
    """What was said so far is in the ticket, and stays there; what is said from here on is not. The ticket goes on by
    its page and by mail. Once more changes nothing."""
    held = select(TicketConversation).where(
        TicketConversation.ticket_id == ticket_id, col(TicketConversation.released_at).is_(None)
    )
    async with tickets.changing(ticket_id, actor) as change:
        ties = (await change.session.exec(held.with_for_update())).all()
        conversations = [tie.conversation_id for tie in ties]
        if ties:
            change.expect(version)
        for tie in ties:
            transcript = await transcript_of(change.session, tie.conversation_id)
            if transcript is not None:
                await tickets.take_in(change, transcript)
            tie.released_at = change.now
        if ties:
            change.record("detached", conversations=[str(one) for one in conversations])
    for conversation_id in conversations:
        await tickets.conversations.announce(conversation_id)
