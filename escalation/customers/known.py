"""An identified requester with what they own, and what that tells about a draft. Nobody else is looked up at all.

An address that was only typed names nobody: below level 2 the answer is none, whether an account has it or not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import col, select

from chat.db import Database
from escalation.customers.registry import KnownCustomer, OwnedService, Registry
from escalation.draft import Drafted, FoundService, Origin, Source, TicketDraft
from escalation.handoff import with_service
from escalation.models import Ticket
from escalation.reach import OperatorReader

PROVEN = 1
"""Of an address that was proven once, by a link of this ticket."""
IDENTIFIED = 2
"""The level from which on account-specific answers are allowed."""
NAMED = 3
"""Of whom the company's own site has named."""
TICKETS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Known:
    """For operators: what stands beside the ticket or conversation before the first reply."""

    customer: KnownCustomer
    services: Sequence[OwnedService]
    open_tickets: Sequence[Ticket]


async def customer_of(registry: Registry, address: str, level: int) -> KnownCustomer | None:
    """`level` is that of the conversation or ticket, not of the address."""
    if level < IDENTIFIED or not address:
        return None
    return await registry.account_of_verified_email(address)


async def known(
    db: Database, registry: Registry, address: str, level: int, reader: OperatorReader, *, but: UUID | None = None
) -> Known | None:
    """`but`: the ticket that is looked at, and so not among the others."""
    return await _known(db, registry, await customer_of(registry, address, level), reader, but)


async def known_of_visitor(db: Database, registry: Registry, customer_id: UUID, reader: OperatorReader) -> Known | None:
    """Of a customer whom the company's site has named."""
    return await _known(db, registry, await registry.customer(customer_id), reader, None)


async def known_beside(db: Database, registry: Registry, ticket: Ticket, reader: OperatorReader) -> Known | None:
    """By the customer or the account of the ticket, whatever its address; else by an address that was proven."""
    if ticket.customer_id is not None:
        customer = await registry.customer(ticket.customer_id)
    elif ticket.account_id is not None:
        customer = await registry.account(ticket.account_id)
    else:
        customer = await customer_of(registry, ticket.requester_email, ticket.verify_level)
    return await _known(db, registry, customer, reader, ticket.id)


async def _known(
    db: Database, registry: Registry, customer: KnownCustomer | None, reader: OperatorReader, but: UUID | None
) -> Known | None:
    if customer is None:
        return None
    others = select(Ticket).where(
        Ticket.account_id == customer.account_id, col(Ticket.open).is_(True), reader.reaches()
    )
    if but is not None:
        others = others.where(Ticket.id != but)
    async with db.read() as session:
        tickets = (await session.exec(others.order_by(col(Ticket.place)).limit(TICKETS_SHOWN))).all()
    return Known(customer, await registry.services_of(customer.account_id), tickets)


async def identified(registry: Registry, draft: TicketDraft, level: int) -> TicketDraft:
    """The draft with the account of its requester, and the service that its order numbers or addresses mean there.

    Whom the company's site has named is known without an address that was typed.
    """
    named = await registry.named_in(draft.conversation_id) if draft.conversation_id else None
    if named is not None:
        origin = Origin(Source.REGISTRY)
        draft = replace(draft, requester_name=Drafted(named.name, origin))
        if named.email:
            draft = replace(draft, requester_email=Drafted(named.email, origin))
        customer, level = await registry.customer(named.customer_id), NAMED
    else:
        customer = await customer_of(registry, draft.requester_email.value, level)
    if customer is None:
        return draft
    draft = replace(draft, account_id=customer.account_id, customer_id=customer.customer_id, verify_level=level)
    for asked, origin in _clues(draft):
        found = await registry.find_service(customer.account_id, **asked)
        if found is not None:
            return with_service(draft, FoundService(found.id, found.name), origin)
    return draft


async def confirmed(registry: Registry, proposed: TicketDraft, draft: TicketDraft) -> TicketDraft:
    """What the operator changed: another requester has no account here, another label may be another service."""
    if draft.requester_email.value.lower() != proposed.requester_email.value.lower():
        return replace(draft, account_id=None, customer_id=None, service_id=None, verify_level=0)
    if draft.account_id is None or draft.service == proposed.service:
        return draft
    found = await registry.find_service(draft.account_id, name=draft.service.value)
    return replace(draft, service_id=found.id if found else None)


def _clues(draft: TicketDraft) -> Iterator[tuple[dict[str, str], Origin]]:
    """Surest first."""
    for order in draft.orders:
        yield {"order_no": order.value}, order.origin
    for address in draft.addresses:
        yield {"ip": address.value.value}, address.origin
    if draft.service.value:
        yield {"name": draft.service.value}, draft.service.origin
