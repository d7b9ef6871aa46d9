"""A customer opens a ticket in the client area: one transaction, and however often the form is sent, one ticket."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import UTCDateTime, insert_for, table_of
from chat.ids import new_id
from chat.public import Department, claim_files
from escalation.actions import Tickets
from escalation.change import Actor, Change, place_of
from escalation.client_area.models import TicketSubmission
from escalation.client_area.ticket_form import NewTicket
from escalation.client_area.tickets_store import seen_by
from escalation.customers.models import EmailAddress
from escalation.customers.reader import CustomerReader
from escalation.customers.registry import OwnedService
from escalation.errors import NotPossible, TooManyTickets
from escalation.mail.about_tickets import mail_opened
from escalation.models import Ticket, TicketIp, TicketOrder
from escalation.opening import next_number
from escalation.relations import follow
from escalation.sla.clocks import start_first_reply
from escalation.sla.solving import start_solve
from escalation.states import HIGH, State

LEVEL = 3
METHOD = "client area"
MOST = ((timedelta(hours=1), 30), (timedelta(days=1), 100))
"""Tickets of one customer in so long: a program that has gone wild is stopped, a person never comes near."""
MOST_HIGH = ((timedelta(hours=1), 300),)
"""An outage is always reported."""
_SENT = table_of(TicketSubmission)


@dataclass(frozen=True, slots=True)
class Submitted:
    """`created` is false for a form that was sent before; `is_same`: with the same content."""

    number: str
    created: bool
    is_same: bool = True


async def submit_ticket(
    tickets: Tickets,
    reader: CustomerReader,
    new: NewTicket,
    *,
    ref: str,
    locale: str,
    site_name: str,
    zone: ZoneInfo,
    browser: str = "",
    files: Sequence[str] = (),
    owner: str = "",
) -> Submitted:
    """`ref` is the form's: the same one is the same ticket. `zone` is the company's. `files`: ids of uploads of
    `owner`. Raises NotPossible for a department that went meanwhile, TooManyTickets."""
    departments = {department.slug: department for department in await tickets.directory.departments()}
    department = departments.get(new.department)
    if department is None:
        raise NotPossible
    owned = None if new.service_id else await _owned(tickets, reader, new)
    service_id = owned.id if owned else new.service_id
    digest = _digest(new, len(files))
    async with tickets.db.write() as session:
        ticket_id, now = new_id(), tickets.clock.now()
        there = await _claim(session, reader, ref, ticket_id, digest, now)
        if there is not None:
            return Submitted(there.number, created=False, is_same=there.digest == digest)
        await _require_share(session, reader, now, MOST_HIGH if new.priority == HIGH else MOST)
        start = new.start
        ticket = Ticket(
            id=ticket_id,
            number=await next_number(session, now, zone),
            created_at=now,
            changed_at=now,
            department_id=department.id,
            site_name=site_name,
            priority=new.priority,
            state=State.NEW.value,
            contact_channel="form",
            subject=new.subject,
            locale=locale,
            requester_name=reader.name,
            requester_email=await _address(session, reader),
            account_id=reader.account_id,
            customer_id=reader.customer_id,
            verify_level=LEVEL,
            verify_method=METHOD,
            verified_at=now,
            service_label=(owned.name if owned else new.service_label)[:200],
            service_id=service_id,
            started_at=start.instant if start else None,
            started_raw=start.raw[:120] if start else "",
            started_zone=start.zone[:64] if start else "",
            started_certainty=start.certainty.value if start else "",
            environment={"locale": locale, "time_zone": reader.time_zone, "browser": browser, "page": ""},
            waiting_since=now,
        )
        session.add(ticket)
        # Rows that point at the ticket follow it.
        await session.flush()
        for order in new.orders:
            session.add(TicketOrder(ticket_id=ticket_id, value=order, source="requester"))
        for address in new.addresses:
            session.add(TicketIp(ticket_id=ticket_id, value=address, source="requester"))
        await start_solve(session, ticket, now)
        await start_first_reply(session, ticket)
        change = Change(session, ticket, Actor("requester", reader.name, reader.customer_id), now)
        change.record("created", channel="form", priority=new.priority, department=department.slug)
        attached = await claim_files(session, owner, files, place_of(ticket_id))
        for n, text in enumerate(new.texts):
            await change.say(text, channel="page", ref=f"{ref}:{n}", level=LEVEL, files=() if n else attached)
        if new.follows:
            await _follow(change, reader, new.follows)
        change.settle()
        await mail_opened(tickets.mailbox, session, ticket, now)
        number = ticket.number
    await tickets.tell(ticket, None)
    return Submitted(number, created=True)


def _digest(new: NewTicket, files: int) -> str:
    """Of what was typed and chosen. Files count by number: sent again with the form, they are new uploads."""
    start = (new.start.raw, new.start.zone) if new.start else None
    said = (new.department, new.priority, new.subject, *new.texts)
    where = (str(new.service_id or ""), new.service_label, *new.orders, *new.addresses)
    return hashlib.sha256(repr((said, where, start, new.follows, files)).encode()).hexdigest()


async def _follow(change: Change, reader: CustomerReader, number: str) -> None:
    """A closed ticket never opens again: this one follows it, if it was theirs to read."""
    found = await change.session.execute(
        select(Ticket)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .where(col(Ticket.number) == number, col(Ticket.state) == State.CLOSED.value, seen_by(reader))
    )
    if (before := found.scalar_one_or_none()) is not None:
        follow(change, before)


async def _claim(
    session: AsyncSession, reader: CustomerReader, ref: str, ticket_id: UUID, digest: str, now: datetime
) -> Any:
    """The primary key is the judge: of many at once one gets None and goes on, the others get its ticket."""
    claim = insert_for(session)(_SENT).values(
        customer_id=reader.customer_id, ref=ref, ticket_id=ticket_id, digest=digest, at=now
    )
    won = await session.execute(claim.on_conflict_do_nothing().returning(_SENT.c.ref))
    if won.first() is not None:
        return None
    rows = table_of(Ticket)
    found = await session.execute(
        select(rows.c.number, _SENT.c.digest)
        .join_from(_SENT, rows, rows.c.id == _SENT.c.ticket_id)
        .where(_SENT.c.customer_id == reader.customer_id, _SENT.c.ref == ref)
    )
    return found.one()


async def _require_share(
    session: AsyncSession, reader: CustomerReader, now: datetime, limits: Sequence[tuple[timedelta, int]]
) -> None:
    """With the one that was just claimed."""
    for span, most in limits:
        lately = select(func.count(), func.min(_SENT.c.at, type_=UTCDateTime)).where(
            _SENT.c.customer_id == reader.customer_id, _SENT.c.at > now - span
        )
        count, oldest = (await session.execute(lately)).one()
        if count > most:
            raise TooManyTickets(most, oldest + span)


async def _owned(tickets: Tickets, reader: CustomerReader, new: NewTicket) -> OwnedService | None:
    """What the numbers and addresses mean in their own account; what is unknown and what is foreign look the same."""
    asked: list[dict[str, str]] = [{"order_no": order} for order in new.orders]
    asked += [{"ip": address} for address in new.addresses]
    asked += [{"name": new.service_label}] if new.service_label else []
    for one in asked:
        found = await tickets.registry.find_service(reader.account_id, **one)
        if found is not None:
            return found
    return None


async def _address(session: AsyncSession, reader: CustomerReader) -> str:
    """Where replies go by mail: the registered address, the verified one first."""
    rows = table_of(EmailAddress)
    found = await session.execute(
        select(rows.c.raw)
        .where(rows.c.customer_id == reader.customer_id, rows.c.registered)
        .order_by(col(EmailAddress.verified_at).is_(None), rows.c.address)
        .limit(1)
    )
    return found.scalar_one_or_none() or ""
