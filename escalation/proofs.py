"""An address that somebody typed is proven to be theirs: by a link that was mailed there, good once. One on record says
whose it is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import rows_changed, table_of
from escalation.actions import Tickets
from escalation.change import Actor, Change
from escalation.customers.known import IDENTIFIED, PROVEN
from escalation.customers.models import Account, Customer, EmailAddress
from escalation.customers.registry import service_by
from escalation.mail.about_tickets import PROOF_LIFE, PROVE, ask_for_proof
from escalation.models import Ticket, TicketIp, TicketLink, TicketOrder
from escalation.ticket_links import page_for

AGAIN_PER_TICKET = 5
"""Links for one ticket in all."""


async def is_open(tickets: Tickets, proof_id: UUID) -> bool:
    """Asking uses nothing, since mail scanners open links."""
    async with tickets.db.read() as session:
        proof = await session.get(TicketLink, proof_id)
    return proof is not None and _holds(proof, tickets)


async def locale_of(tickets: Tickets, proof_id: UUID) -> str | None:
    """Of who got the link."""
    async with tickets.db.read() as session:
        found = await session.exec(
            select(Ticket.locale)
            .join(TicketLink, col(TicketLink.ticket_id) == col(Ticket.id))
            .where(TicketLink.id == proof_id, TicketLink.scope == PROVE)
        )
        return found.first()


async def prove(tickets: Tickets, proof_id: UUID) -> str | None:
    """Uses the link: from now on this address gets what is said. The path of the ticket's page; None for a link that is
    unknown, used, expired or revoked."""
    now = tickets.clock.now()
    links = table_of(TicketLink)
    async with tickets.db.write() as session:
        used = await session.execute(
            update(links)
            .where(
                links.c.id == proof_id,
                links.c.scope == PROVE,
                links.c.used_at.is_(None),
                links.c.revoked_at.is_(None),
                links.c.expires_at > now,
            )
            .values(used_at=now)
        )
        if rows_changed(used) == 0:
            return None
        ticket = await _locked(session, proof_id)
        change = Change(session, ticket, Actor("requester", ticket.requester_name), now)
        level = IDENTIFIED if await _identify(session, ticket) else PROVEN
        if ticket.verify_level < level:
            ticket.verify_level, ticket.verify_method, ticket.verified_at = level, "link", now
            # Without a new version: no reply that is being written is refused for it.
            change.record("proven", address=ticket.requester_email)
            ticket.changed_at = now
        await _note_on_record(session, ticket, now)
        path = await page_for(session, ticket, ticket.requester_email, now)
    await tickets.tell(ticket, None)
    return path


async def _identify(session: AsyncSession, ticket: Ticket) -> bool:
    """Whether the address is on record, proven before, for an active customer: then it is their ticket, unless it is
    known to be of another person or account."""
    email, customer, account = table_of(EmailAddress), table_of(Customer), table_of(Account)
    found = await session.execute(
        select(customer.c.id, account.c.id)
        .join_from(email, customer, customer.c.id == email.c.customer_id)
        .join(account, account.c.id == customer.c.account_id)
        .where(
            email.c.address == ticket.requester_email.strip().lower(),
            email.c.verified_at.is_not(None),
            email.c.registered,
            customer.c.active,
            account.c.active,
        )
    )
    theirs = found.first()
    if theirs is None or ticket.customer_id not in (None, theirs[0]) or ticket.account_id not in (None, theirs[1]):
        return False
    ticket.customer_id, ticket.account_id = theirs
    ticket.service_id = ticket.service_id or await _service_of(session, ticket, theirs[1])
    return True


async def _service_of(session: AsyncSession, ticket: Ticket, account_id: UUID) -> UUID | None:
    """The one that was named. Its name is not written on the ticket: who sits in the conversation reads that, too."""
    if ticket.service_label:
        asked = [{"name": ticket.service_label}]
    else:
        orders = select(TicketOrder.value).where(TicketOrder.ticket_id == ticket.id).order_by(col(TicketOrder.value))
        addresses = select(TicketIp.value).where(TicketIp.ticket_id == ticket.id).order_by(col(TicketIp.value))
        asked = [{"order_no": order} for order in await session.exec(orders)]
        asked += [{"ip": address} for address in await session.exec(addresses)]
    for clue in asked:
        found = await service_by(session, account_id, **clue)
        if found is not None:
            return UUID(str(found.id))
    return None


async def _note_on_record(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The address of their customer is verified from now on, unless somebody else has proven it."""
    emails = table_of(EmailAddress)
    address = ticket.requester_email.strip().lower()
    theirs = (emails.c.customer_id == ticket.customer_id, emails.c.address == address, emails.c.verified_at.is_(None))
    try:
        async with session.begin_nested():
            await session.execute(update(emails).where(*theirs).values(verified_at=now, verified_by="link"))
    except IntegrityError:
        return


async def ask_again(tickets: Tickets, proof_id: UUID) -> bool:
    """Whoever holds an expired link got our mail before, so a new one floods nobody. False where that is enough."""
    now = tickets.clock.now()
    async with tickets.db.write() as session:
        proof = await session.get(TicketLink, proof_id)
        if proof is None or proof.scope != PROVE or proof.used_at is not None or proof.expires_at > now:
            return False
        ticket = await _locked(session, proof_id)
        asked = await session.exec(
            select(func.count(), func.max(TicketLink.created_at)).where(
                TicketLink.ticket_id == ticket.id, TicketLink.scope == PROVE
            )
        )
        number, last = asked.one()
        if number >= AGAIN_PER_TICKET or last > now - PROOF_LIFE:
            return False
        await ask_for_proof(tickets.mailbox, session, ticket, now, again=True)
    tickets.mailbox.wake()
    return True


async def _locked(session: AsyncSession, proof_id: UUID) -> Ticket:
    found = await session.exec(
        select(Ticket)
        .join(TicketLink, col(TicketLink.ticket_id) == col(Ticket.id))
        .where(TicketLink.id == proof_id)
        .with_for_update(of=Ticket)
    )
    return found.one()


def _holds(proof: TicketLink, tickets: Tickets) -> bool:
    now = tickets.clock.now()
    return proof.scope == PROVE and proof.used_at is None and proof.revoked_at is None and proof.expires_at > now
