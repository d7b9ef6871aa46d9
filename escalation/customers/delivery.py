"""Where mail of an account goes: addresses per type, the registered ones where none is set, and their standing.

An address that was not confirmed by its owner receives nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.customers.models import Account, Customer, EmailAddress, EmailProof, NotificationAddress
from escalation.customers.reader import CustomerReader

TYPES = ("billing", "support", "abuse", "service")
SECURITY = "security"
"""Security notices: to the addresses for abuse and to the registered ones."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who receives: `language` is the account's where the address has none of its own."""

    address: str
    language: str


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """One address of a type. `standing`: confirmed, waiting (for its link), expired (the link), or refused (the last
    mail came back, and nothing is sent before `again_at`)."""

    id: UUID
    address: str
    standing: str
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    account_name: str
    by_type: dict[str, list[ShownAddress]]
    registered: list[str]
    """Verified ones: they receive what has no address of its own."""


async def delivery_settings(session: AsyncSession, account_id: UUID, now: datetime) -> DeliverySettings | None:
    account = await session.get(Account, account_id)
    if account is None or not account.active:
        return None
    by_type: dict[str, list[ShownAddress]] = {kind: [] for kind in TYPES}
    links = await _open_links(session, account_id, now)
    for to, email in await _set(session, account_id):
        by_type[to.kind].append(_shown(to, email, links, now))
    registered = [target.address for target in await _registered(session, account, now)]
    return DeliverySettings(account.name, by_type, registered)


async def targets_of(session: AsyncSession, account_id: UUID, kind: str, now: datetime) -> list[Target]:
    """Who receives mail of this type now; `kind` is one of TYPES or SECURITY. Of support only what is set: else the
    requester of the ticket does, whom the caller knows."""
    account = await session.get(Account, account_id)
    if account is None or not account.active:
        return []
    wanted = "abuse" if kind == SECURITY else kind
    own = await _confirmed(session, account, wanted, now)
    if kind == "support" or (own and kind != SECURITY):
        return own
    billing = kind == "billing"
    more = await _registered(session, account, now, billing=billing)
    if kind == "service":
        more = [*more, *await _confirmed(session, account, "support", now)]
    once = {target.address: target for target in [*own, *more]}
    return list(once.values())


async def told_of_access(
    session: AsyncSession, account_id: UUID, customer_id: UUID, locale: str, now: datetime
) -> list[Target]:
    """Who is told when the way in of one customer changes: they themselves, in their language, and the account's
    addresses for security."""
    account = await session.get_one(Account, account_id)
    own = await _registered(session, account, now, of=customer_id)
    more = await _confirmed(session, account, "abuse", now)
    once = {target.address: target for target in more}
    return list((once | {target.address: Target(target.address, locale) for target in own}).values())


async def set_for(session: AsyncSession, account_id: UUID, kind: str, now: datetime) -> list[Target]:
    """The confirmed ones that are set for this type, without those that stand in where none is."""
    account = await session.get(Account, account_id)
    return await _confirmed(session, account, kind, now) if account is not None and account.active else []


async def registered_of(session: AsyncSession, account_id: UUID, now: datetime) -> list[Target]:
    account = await session.get_one(Account, account_id)
    return await _registered(session, account, now)


async def types_of(session: AsyncSession, reader: CustomerReader) -> frozenset[str]:
    """What this customer may set. Mail of the whole account goes to these addresses, so it takes the right to see it;
    whoever is the only customer has all rights."""
    found = await session.exec(
        select(func.count()).select_from(Customer).where(Customer.account_id == reader.account_id, col(Customer.active))
    )
    if found.one() == 1:
        return frozenset(TYPES)
    billing = {"billing"} if reader.can_see_billing else set()
    return frozenset(billing | ({"support", "abuse", "service"} if reader.can_see_tickets else set()))


def is_confirmed(email: EmailAddress) -> bool:
    return email.verified_at is not None


def takes_mail(email: EmailAddress, now: datetime) -> bool:
    return email.suppressed_until is None or email.suppressed_until <= now


def _shown(to: NotificationAddress, email: EmailAddress, links: set[UUID], now: datetime) -> ShownAddress:
    if not is_confirmed(email):
        return ShownAddress(to.id, email.raw, "waiting" if email.id in links else "expired")
    if not takes_mail(email, now):
        return ShownAddress(to.id, email.raw, "refused", email.suppressed_until)
    return ShownAddress(to.id, email.raw, "confirmed")


async def _set(session: AsyncSession, account_id: UUID, kind: str | None = None) -> Sequence[Any]:
    statement = (
        select(NotificationAddress, EmailAddress)
        .join(EmailAddress, col(EmailAddress.id) == col(NotificationAddress.email_id))
        .where(NotificationAddress.account_id == account_id, col(NotificationAddress.active))
        .order_by(col(NotificationAddress.kind), col(EmailAddress.address))
    )
    if kind is not None:
        statement = statement.where(NotificationAddress.kind == kind)
    return (await session.exec(statement)).all()


async def _confirmed(session: AsyncSession, account: Account, kind: str, now: datetime) -> list[Target]:
    return [
        Target(email.address, to.language or account.language)
        for to, email in await _set(session, account.id, kind)
        if is_confirmed(email) and takes_mail(email, now)
    ]


async def _registered(
    session: AsyncSession, account: Account, now: datetime, *, billing: bool = False, of: UUID | None = None
) -> list[Target]:
    """Verified addresses of the account's customers. `billing`: of those who may see it, where any may. `of`: of this
    one alone."""
    statement = (
        select(EmailAddress, Customer.can_see_billing)
        .join(Customer, col(Customer.id) == col(EmailAddress.customer_id))
        .where(
            EmailAddress.account_id == account.id,
            col(EmailAddress.registered),
            col(EmailAddress.verified_at).is_not(None),
            col(Customer.active),
        )
        .order_by(col(EmailAddress.address))
    )
    if of is not None:
        statement = statement.where(EmailAddress.customer_id == of)
    rows = [(email, may) for email, may in await session.exec(statement) if takes_mail(email, now)]
    if billing and any(may for _, may in rows):
        rows = [row for row in rows if row[1]]
    return [Target(email.address, account.language) for email, _ in rows]


async def _open_links(session: AsyncSession, account_id: UUID, now: datetime) -> set[UUID]:
    found = await session.exec(
        select(EmailProof.email_id)
        .join(EmailAddress, col(EmailAddress.id) == col(EmailProof.email_id))
        .where(EmailAddress.account_id == account_id, col(EmailProof.used_at).is_(None), EmailProof.expires_at > now)
    )
    return set(found)
