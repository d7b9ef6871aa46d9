"""Ways to one ticket without sign-in: one for each address that got one, and one in the conversation. Each is good for
a month, and only as long as its address may still read the ticket."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from chat.public import Department
from escalation.customers.known import IDENTIFIED, PROVEN
from escalation.customers.models import Account, Customer, EmailAddress, NotificationAddress
from escalation.customers.reader import FINANCIAL
from escalation.models import Ticket, TicketLink, TicketParticipant, TicketRelation

LINK_LIFE = timedelta(days=30)
SCOPE = "requester"
MERGED = "merged"
"""The relation of a ticket to the one it goes on in."""


async def link_for(session: AsyncSession, ticket: Ticket, recipient: str, now: datetime) -> UUID:
    """A fresh one when the last has used up half its life. `recipient`: an address; empty for the conversation."""
    recipient = recipient.strip().lower()
    found = await session.exec(
        select(TicketLink)
        .where(
            TicketLink.ticket_id == ticket.id,
            TicketLink.scope == SCOPE,
            TicketLink.recipient == recipient,
            col(TicketLink.revoked_at).is_(None),
            col(TicketLink.expires_at) > now + LINK_LIFE / 2,
        )
        .order_by(col(TicketLink.expires_at).desc())
    )
    link = found.first()
    if link is None:
        link = TicketLink(
            id=new_id(), ticket_id=ticket.id, recipient=recipient, expires_at=now + LINK_LIFE, created_at=now
        )
        session.add(link)
    return link.id


async def page_for(session: AsyncSession, ticket: Ticket, recipient: str, now: datetime) -> str:
    """The path of the ticket's page, to be signed."""
    return f"/t/{await link_for(session, ticket, recipient, now)}"


async def by_link(session: AsyncSession, link_id: UUID, now: datetime) -> tuple[Ticket, str] | None:
    """The ticket, and the address that got the link where it is not the requester's. None for a link that is unknown,
    expired or revoked, and for one whose address or customer lost its standing: all look the same."""
    found = await session.exec(
        select(Ticket, TicketLink.recipient)
        .join(TicketLink, col(TicketLink.ticket_id) == col(Ticket.id))
        .where(
            TicketLink.id == link_id,
            TicketLink.scope == SCOPE,
            col(TicketLink.revoked_at).is_(None),
            col(TicketLink.expires_at) > now,
        )
    )
    row = found.first()
    if row is None or not await may_read(session, *row):
        return None
    ticket, recipient = row
    return ticket, "" if _is_requesters(ticket, recipient) else recipient


async def level_by(session: AsyncSession, ticket: Ticket, recipient: str) -> int:
    """How surely what is written by a link is the requester's. That in the conversation is had by whoever sits there;
    one that was mailed proves its address, and one to the address on record the customer."""
    recipient = recipient.strip().lower()
    if not recipient or recipient != ticket.requester_email.strip().lower():
        return 0
    held = select(EmailAddress.id).where(
        EmailAddress.customer_id == ticket.customer_id,
        EmailAddress.address == recipient,
        col(EmailAddress.registered),
        col(EmailAddress.verified_at).is_not(None),
    )
    is_on_record = ticket.customer_id is not None and (await session.exec(held)).first() is not None
    return min(ticket.verify_level, IDENTIFIED if is_on_record else PROVEN)


async def may_read(session: AsyncSession, ticket: Ticket, recipient: str) -> bool:
    """Whether who has a link or a letter may have it now; `recipient` as in `link_for`."""
    if ticket.account_id is None:
        return _is_requesters(ticket, recipient) or await takes_part(session, ticket.id, recipient)
    account = await session.get(Account, ticket.account_id)
    if account is None or not account.active:
        return False
    if _is_requesters(ticket, recipient) and await _is_customers(session, ticket, recipient):
        return True
    if not recipient:
        return False
    return await _is_set(session, ticket, recipient) or await takes_part(session, ticket.id, recipient)


async def participants_in(session: AsyncSession, ticket_id: UUID) -> Sequence[TicketParticipant]:
    found = await session.exec(
        select(TicketParticipant)
        .where(TicketParticipant.ticket_id == ticket_id)
        .order_by(col(TicketParticipant.added_at), col(TicketParticipant.id))
    )
    return found.all()


async def takes_part(session: AsyncSession, ticket_id: UUID, address: str) -> bool:
    """By this address an operator added them; a customer only as long as they are one."""
    held = (
        select(TicketParticipant.id)
        .outerjoin(Customer, col(Customer.id) == col(TicketParticipant.customer_id))
        .where(
            TicketParticipant.ticket_id == ticket_id,
            TicketParticipant.address == address.strip().lower(),
            or_(col(TicketParticipant.customer_id).is_(None), col(Customer.active)),
        )
    )
    return (await session.exec(held)).first() is not None


async def goes_on_for(session: AsyncSession, ticket: Ticket, reader: str) -> tuple[Ticket, str] | None:
    """The ticket that this one was merged into, and the recipient of a link to it, where who reads this one by a link
    may read that one, too. `reader` as `by_link` says it."""
    target = await merged_into(session, ticket.id)
    if target is None:
        return None
    recipient = reader
    if not reader and target.customer_id != ticket.customer_id:
        recipient = ticket.requester_email.strip().lower()
        if not recipient or _is_requesters(target, recipient):
            return None
    return (target, recipient) if await may_read(session, target, recipient) else None


async def merged_into(session: AsyncSession, ticket_id: UUID) -> Ticket | None:
    found = await session.exec(
        select(Ticket)
        .join(TicketRelation, col(TicketRelation.other_id) == col(Ticket.id))
        .where(TicketRelation.ticket_id == ticket_id, TicketRelation.relation == MERGED)
    )
    return found.first()


async def absorbed_by(session: AsyncSession, ticket_id: UUID) -> list[UUID]:
    """This ticket and all that lead to it: whoever reads one of them by a link finds the way."""
    found = [ticket_id]
    for one in found:
        sources = select(TicketRelation.ticket_id).where(
            TicketRelation.other_id == one, TicketRelation.relation == MERGED
        )
        found += [source for source in await session.exec(sources) if source not in found]
    return found


async def type_of(session: AsyncSession, ticket: Ticket) -> str:
    """Which addresses of the account are told of it: who may set those for support need not see what is of money."""
    department = await session.get_one(Department, ticket.department_id)
    return "billing" if department.slug == FINANCIAL else "support"


def _is_requesters(ticket: Ticket, recipient: str) -> bool:
    return recipient in ("", ticket.requester_email.strip().lower())


async def _is_customers(session: AsyncSession, ticket: Ticket, recipient: str) -> bool:
    """The customer is there, and the company did not take the address back."""
    customer = await session.get(Customer, ticket.customer_id) if ticket.customer_id else None
    if customer is not None and not customer.active:
        return False
    held = select(EmailAddress.verified_at).where(
        EmailAddress.account_id == ticket.account_id, EmailAddress.address == recipient
    )
    verified = (await session.exec(held)).all()
    return not verified or any(at is not None for at in verified)


async def _is_set(session: AsyncSession, ticket: Ticket, recipient: str) -> bool:
    held = (
        select(EmailAddress.id)
        .join(NotificationAddress, col(NotificationAddress.email_id) == col(EmailAddress.id))
        .where(
            NotificationAddress.account_id == ticket.account_id,
            NotificationAddress.kind == await type_of(session, ticket),
            col(NotificationAddress.active),
            EmailAddress.address == recipient,
            col(EmailAddress.verified_at).is_not(None),
        )
    )
    return (await session.exec(held)).first() is not None
