"""In which language people are written to about a ticket: what they chose, else their account's, else the ticket's."""

from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.client_area.models import CustomerAccess
from escalation.customers.models import Account, EmailAddress, NotificationAddress
from escalation.models import Ticket, TicketParticipant
from escalation.ticket_links import type_of


async def language_of(session: AsyncSession, ticket: Ticket, one: TicketParticipant) -> str:
    """Who is a customer chooses in the client area, too."""
    if one.locale:
        return one.locale
    chosen = await session.get(CustomerAccess, one.customer_id) if one.customer_id is not None else None
    if chosen is not None and chosen.locale:
        return chosen.locale
    account = await session.get(Account, ticket.account_id) if one.customer_id is not None else None
    return (account.language if account is not None else "") or ticket.locale


async def language_for(session: AsyncSession, ticket: Ticket, reader: str) -> str:
    """Of who reads by a link; `reader` as `by_link` says it."""
    if not reader:
        return ticket.locale
    found = await _participant(session, ticket.id, reader)
    if found is not None:
        return await language_of(session, ticket, found)
    return await _set_for(session, ticket, reader) or ticket.locale


async def choose(session: AsyncSession, ticket_id: UUID, reader: str, locale: str) -> None:
    """Their page and their mails from now on. Nothing, for who takes no part."""
    found = await _participant(session, ticket_id, reader)
    if found is not None:
        found.locale = locale


async def _participant(session: AsyncSession, ticket_id: UUID, address: str) -> TicketParticipant | None:
    query = select(TicketParticipant).where(
        TicketParticipant.ticket_id == ticket_id, TicketParticipant.address == address.strip().lower()
    )
    return (await session.exec(query)).first()


async def _set_for(session: AsyncSession, ticket: Ticket, address: str) -> str:
    """With an address of the account for mail of this type; empty where it is none."""
    query = (
        select(NotificationAddress.language, Account.language)
        .join(EmailAddress, col(EmailAddress.id) == col(NotificationAddress.email_id))
        .join(Account, col(Account.id) == col(NotificationAddress.account_id))
        .where(
            NotificationAddress.account_id == ticket.account_id,
            NotificationAddress.kind == await type_of(session, ticket),
            EmailAddress.address == address,
        )
    )
    found = (await session.exec(query)).first()
    return (found[0] or found[1]) if found is not None else ""
