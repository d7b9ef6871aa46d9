"""People added to a ticket and removed by an operator who sees it as it stands."""

from uuid import UUID

from escalation import participants
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.models import Ticket


async def add(tickets: Tickets, ticket_id: UUID, actor: Actor, address: str) -> None:
    await participants.add(tickets, ticket_id, actor, address, version=await version_of(tickets, ticket_id))


async def remove(tickets: Tickets, ticket_id: UUID, actor: Actor, participant_id: UUID) -> None:
    await participants.remove(tickets, ticket_id, actor, participant_id, version=await version_of(tickets, ticket_id))


async def version_of(tickets: Tickets, ticket_id: UUID) -> int:
    async with tickets.db.read() as session:
        return (await session.get_one(Ticket, ticket_id)).version
