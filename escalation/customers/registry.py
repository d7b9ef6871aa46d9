"""What others read of the company's records. What is unknown and what is somebody else's give the same answer: none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, and_, bindparam, func, select, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import Database, table_of
from chat.public import Conversation
from escalation.client_area.models import VisitorIdentity
from escalation.customers.models import Account, Customer, EmailAddress, Service, ServiceIp
from escalation.customers.names import folded
from escalation.customers.ranges import STEP, WIDEST, IpRange, RangeRefused, packed, parse_address, spans

_SERVICE, _IP = table_of(Service), table_of(ServiceIp)


@dataclass(frozen=True, slots=True)
class OwnedService:
    """`ips` are written canonically: an address, a network, or from-to."""

    id: UUID
    ref: str
    name: str
    order_no: str
    kind: str
    location: str
    product: str
    tags: tuple[str, ...]
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer on record with the account, and how their address was proven. Of a ticket that is known to be an
    account's and of no person of it, `customer_id` is none."""

    account_id: UUID
    account_no: str
    account_name: str
    language: str
    zone: str
    tags: tuple[str, ...]
    customer_id: UUID | None
    customer_name: str
    can_see_tickets: bool
    can_see_billing: bool
    verified_at: datetime | None
    """None where no registered address of theirs is verified."""
    verified_by: str


@dataclass(frozen=True, slots=True)
class NamedVisitor:
    """Whom the company's own site has named as the visitor of a conversation."""

    customer_id: UUID
    name: str
    email: str
    """Their registered, verified address; empty without one."""


class Registry:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def find_service(
        self, account_id: UUID, *, order_no: str = "", ip: str = "", name: str = ""
    ) -> OwnedService | None:
        """By the first of the three that is given, within the account.

        Of several services that hold the address the one with the narrowest range counts; an order or a name that
        fits several finds none, since a guess would look like knowledge.
        """
        async with self._db.read() as session:
            found = await service_by(session, account_id, order_no=order_no, ip=ip, name=name)
            return (await _owned(session, [found]))[0] if found is not None else None

    async def services_of(self, account_id: UUID, limit: int = 200) -> Sequence[OwnedService]:
        """By name."""
        async with self._db.read() as session:
            found = await session.execute(_active(account_id).order_by(_SERVICE.c.name_key, _SERVICE.c.id).limit(limit))
            return await _owned(session, list(found))

    async def account_of_verified_email(self, address: str) -> KnownCustomer | None:
        """None unless the address is verified, on record for a customer, and customer and account are active."""
        email = table_of(EmailAddress)
        return await self._known(
            email.c.address == address.strip().lower(),
            email.c.verified_at.is_not(None),
            email.c.registered,
            email.c.account_id == table_of(Account).c.id,
        )

    async def customer(self, customer_id: UUID) -> KnownCustomer | None:
        """Whom a sign-in or the company's site has named, with an address or without. None unless they are active."""
        return await self._known(table_of(Customer).c.id == customer_id)

    async def account(self, account_id: UUID) -> KnownCustomer | None:
        """Nobody of it in particular. None unless it is active."""
        async with self._db.read() as session:
            found = await session.get(Account, account_id)
        if found is None or not found.active:
            return None
        named = found.account_no, found.name, found.language, found.zone, tuple(found.tags)
        return KnownCustomer(found.id, *named, None, "", False, False, None, "")

    async def _known(self, *wanted: ColumnElement[bool]) -> KnownCustomer | None:
        email, customer, account = table_of(EmailAddress), table_of(Customer), table_of(Account)
        statement = (
            select(
                account.c.id,
                account.c.account_no,
                account.c.name,
                account.c.language,
                account.c.zone,
                account.c.tags,
                customer.c.id,
                customer.c.name,
                customer.c.can_see_tickets,
                customer.c.can_see_billing,
                email.c.verified_at,
                func.coalesce(email.c.verified_by, ""),
            )
            .join_from(customer, account, account.c.id == customer.c.account_id)
            .outerjoin(email, _registered_of(customer))
            .where(customer.c.active, account.c.active, *wanted)
            .order_by(email.c.address)
            .limit(1)
        )
        async with self._db.read() as session:
            row = (await session.execute(statement)).first()
        if row is None:
            return None
        account_id, no, name, language, zone, tags, *rest = row
        return KnownCustomer(account_id, no, name, language, zone, tuple(tags), *rest)

    async def named_in(self, conversation_id: UUID) -> NamedVisitor | None:
        """None unless the site had named them when the conversation began."""
        async with self._db.read() as session:
            return await named_visitor(session, conversation_id)


async def service_by(
    session: AsyncSession, account_id: UUID, *, order_no: str = "", ip: str = "", name: str = ""
) -> Any | None:
    """Its row, as `find_service` finds it, in the caller's transaction."""
    if order_no:
        return await _only(session, account_id, _SERVICE.c.order_no == order_no.removeprefix("#"))
    if ip:
        return await _holding(session, account_id, ip)
    return await _only(session, account_id, _SERVICE.c.name_key == folded(name)) if folded(name) else None


async def named_visitor(session: AsyncSession, conversation_id: UUID) -> NamedVisitor | None:
    """The same in the caller's transaction."""
    email, customer, account = table_of(EmailAddress), table_of(Customer), table_of(Account)
    identity, conversation = table_of(VisitorIdentity), table_of(Conversation)
    statement = (
        select(customer.c.id, customer.c.name, email.c.raw)
        .join_from(conversation, identity, identity.c.visitor_id == conversation.c.visitor_id)
        .join(customer, customer.c.id == identity.c.customer_id)
        .join(account, account.c.id == customer.c.account_id)
        .outerjoin(email, _registered_of(customer))
        .where(
            conversation.c.id == conversation_id,
            identity.c.named_at <= conversation.c.created_at,
            customer.c.active,
            account.c.active,
        )
        .order_by(email.c.address)
        .limit(1)
    )
    row = (await session.execute(statement)).first()
    return NamedVisitor(row[0], row[1], row[2] or "") if row is not None else None


def _registered_of(customer: Any) -> ColumnElement[bool]:
    """The addresses of theirs that are on record and proven."""
    email = table_of(EmailAddress).c
    return and_(email.customer_id == customer.c.id, email.registered, email.verified_at.is_not(None))


def _active(account_id: UUID) -> Any:
    """Services of an inactive account are nobody's."""
    account = table_of(Account)
    return (
        select(_SERVICE)
        .join(account, account.c.id == _SERVICE.c.account_id)
        .where(_SERVICE.c.account_id == account_id, _SERVICE.c.active, account.c.active)
    )


async def _only(session: AsyncSession, account_id: UUID, fits: ColumnElement[bool]) -> Any:
    rows = (await session.execute(_active(account_id).where(fits).limit(2))).all()
    return rows[0] if len(rows) == 1 else None


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _around(version: int) -> Any:
    """All ranges around an address: one short span of the index per class of size. Made once, since it is long.

    A union and not one condition with OR: for that SQLite without statistics walks all ranges of the version.
    """
    address = bindparam("ip", type_=LargeBinary)
    spans_of_index = [
        select(_IP.c.service_id, _IP.c.ip_from, _IP.c.ip_to).where(
            _IP.c.version == version,
            _IP.c.width == width,
            _IP.c.ip_from.between(bindparam(f"least_{width}"), address),
            _IP.c.ip_to >= address,
        )
        for width in range(0, WIDEST[version] + 1, STEP)
    ]
    # Materialized, else a planner may walk all services of a large account instead.
    return union_all(*spans_of_index).cte("around").prefix_with("MATERIALIZED")


def _held(version: int) -> Any:
    around, account = _around(version), table_of(Account)
    return (
        select(_SERVICE, around.c.ip_from, around.c.ip_to)
        .join_from(around, _SERVICE, _SERVICE.c.id == around.c.service_id)
        .join(account, account.c.id == _SERVICE.c.account_id)
        .where(_SERVICE.c.account_id == bindparam("account_id"), _SERVICE.c.active, account.c.active)
    )


_HELD = {version: _held(version) for version in WIDEST}


async def _holding(session: AsyncSession, account_id: UUID, ip: str) -> Any:
    try:
        address = parse_address(ip)
    except RangeRefused:
        return None
    bounds = {f"least_{width}": least for width, least in spans(address)}
    found = await session.execute(_HELD[address.version], {"account_id": account_id, "ip": packed(address), **bounds})
    return min(found, key=_size, default=None)


def _size(row: Any) -> tuple[int, UUID]:
    return int.from_bytes(row.ip_to) - int.from_bytes(row.ip_from), row.id


async def _owned(session: AsyncSession, rows: Sequence[Any]) -> list[OwnedService]:
    ips: dict[UUID, list[IpRange]] = {row.id: [] for row in rows}
    found = await session.execute(
        select(_IP.c.service_id, _IP.c.ip_from, _IP.c.ip_to, _IP.c.version).where(_IP.c.service_id.in_(ips))
    )
    for service_id, *ends in found:
        ips[service_id].append(IpRange(*ends))
    return [
        OwnedService(
            row.id,
            row.service_ref,
            row.name,
            row.order_no,
            row.kind,
            row.location,
            row.product,
            tuple(row.tags),
            tuple(str(one) for one in sorted(ips[row.id])),
        )
        for row in rows
    ]
