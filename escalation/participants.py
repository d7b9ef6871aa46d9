"""Who takes part in a ticket beside its requester: added and removed by operators, told by mail, named in its history.

A customer of the account reads it in the client area, whoever else by a link of their own. Once removed they read
nothing: what each page asks is the row, and their links end with it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from chat.public import Refusal, checked_address
from escalation.actions import Tickets
from escalation.change import Actor, Change
from escalation.customers.models import Customer, EmailAddress
from escalation.errors import AlreadyReads, NoAddress, TicketClosed, TooManyPeople
from escalation.mail.about_tickets import mail_shared, may_be_answered
from escalation.mail.letter import TICKET_SHARED
from escalation.mail.models import MailOut
from escalation.mail.standing import GOING
from escalation.models import Ticket, TicketLink, TicketParticipant
from escalation.states import State
from escalation.ticket_links import participants_in

MOST = 20
LOST = ("bounced", "suppressed", "failed", "expired")
Invitation = Literal["going", "lost", "unopened", "opened"]


async def add(tickets: Tickets, ticket_id: UUID, actor: Actor, address: str, *, version: int) -> None:
    """They are mailed the way in. Once more changes nothing. Raises NoAddress, AlreadyReads, TooManyPeople and
    TicketClosed."""
    address = _checked(address)
    async with tickets.changing(ticket_id, actor) as change:
        session, ticket = change.session, change.ticket
        there = await participants_in(session, ticket.id)
        if any(one.address == address for one in there):
            return
        change.expect(version)
        if ticket.state == State.CLOSED:
            raise TicketClosed
        if address == ticket.requester_email.strip().lower():
            raise AlreadyReads
        if len(there) >= MOST:
            raise TooManyPeople
        made = await _participant(change, address)
        session.add(made)
        change.record("participant_added", address=address, name=made.name, customer=str(made.customer_id or ""))
        await session.flush()
        await mail_shared(tickets.mailbox, session, ticket, made, change.now)


async def remove(tickets: Tickets, ticket_id: UUID, actor: Actor, participant_id: UUID, *, version: int) -> None:
    """Their links end, and what they have not been sent is not sent. Once more changes nothing."""
    async with tickets.changing(ticket_id, actor) as change:
        found = await change.session.get(TicketParticipant, participant_id)
        if found is None or found.ticket_id != ticket_id:
            return
        change.expect(version)
        links = await change.session.exec(
            select(TicketLink).where(
                TicketLink.ticket_id == ticket_id,
                TicketLink.recipient == found.address,
                col(TicketLink.revoked_at).is_(None),
            )
        )
        for link in links:
            link.revoked_at = change.now
        await change.session.delete(found)
        change.record("participant_removed", address=found.address, name=found.name)


async def invitations(session: AsyncSession, there: Sequence[TicketParticipant]) -> Mapping[UUID, Invitation]:
    """How it stands with those who have only a link. Whoever opened one has had the mail."""
    outside = {str(one.id): one for one in there if one.customer_id is None}
    if not outside:
        return {}
    opened = await session.exec(
        select(TicketLink.ticket_id, TicketLink.recipient).where(
            col(TicketLink.ticket_id).in_({one.ticket_id for one in outside.values()}),
            col(TicketLink.recipient).in_([one.address for one in outside.values()]),
            col(TicketLink.used_at).is_not(None),
            col(TicketLink.revoked_at).is_(None),
        )
    )
    pairs = set(opened)
    mails = await session.exec(
        select(MailOut.cause, MailOut.state).where(MailOut.kind == TICKET_SHARED, col(MailOut.cause).in_(list(outside)))
    )
    states = dict(mails.all())
    return {
        one.id: "opened" if (one.ticket_id, one.address) in pairs else _stands(states.get(cause, ""))
        for cause, one in outside.items()
    }


def _stands(state: str) -> Invitation:
    if state in GOING:
        return "going"
    return "lost" if state in LOST else "unopened"


def _checked(text: str) -> str:
    try:
        address = checked_address(text[:400]).lower()
    except Refusal:
        raise NoAddress from None
    if len(address) > 254 or not may_be_answered(address):
        raise NoAddress
    return address


async def _participant(change: Change, address: str) -> TicketParticipant:
    ticket = change.ticket
    customer = await _customer(change.session, ticket, address)
    return TicketParticipant(
        id=new_id(),
        ticket_id=ticket.id,
        address=address,
        customer_id=customer.id if customer else None,
        name=customer.name if customer else "",
        added_by=change.actor.name,
        added_at=change.now,
    )


async def _customer(session: AsyncSession, ticket: Ticket, address: str) -> Customer | None:
    """Whose proven address it is, within the account of the ticket: of another one nothing is said."""
    found = await session.exec(
        select(Customer)
        .join(EmailAddress, col(EmailAddress.customer_id) == col(Customer.id))
        .where(
            Customer.account_id == ticket.account_id,
            col(Customer.active),
            EmailAddress.address == address,
            col(EmailAddress.verified_at).is_not(None),
        )
    )
    return found.first()
