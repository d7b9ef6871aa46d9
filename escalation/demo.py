"""A customer for the demo: an account with services, and tickets that were answered in the last days."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update

from chat.db import table_of
from chat.ids import new_id
from chat.public import Operator
from escalation.app import Escalation
from escalation.change import Actor
from escalation.client_area.submitting import submit_ticket
from escalation.client_area.ticket_form import NewTicket
from escalation.customers.models import Account, Customer, EmailAddress, Service, ServiceIp
from escalation.customers.names import folded
from escalation.customers.ranges import parse_range
from escalation.customers.reader import CustomerReader
from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketCounter
from escalation.states import NORMAL, State

NAME = "Aino Korhonen"
EMAIL = "aino@korhonendesign.example"
REF = "demo-aino"
SERVICES = (
    ("VPS-2 Ljubljana", "482913", "VPS-2", "Ljubljana", "185.203.118.7"),
    ("Backup 500", "482914", "Backup 500", "Frankfurt", "2a02:e48:1:2::/64"),
    ("korhonendesign.example", "301177", "Hosting M", "Ljubljana", ""),
)


class _Past(NamedTuple):
    days: float
    department: str
    subject: str
    text: str
    service: str
    reply: str
    then: State


PAST = (
    _Past(
        23,
        "technical",
        "DNS for the new shop",
        "We move the shop to shop.korhonendesign.example on Monday. Which records do we need, and how long before?",
        "korhonendesign.example",
        "One A record to 185.203.118.7 is enough. Lower its TTL to 300 on Friday; we have just done that for you.",
        State.SOLVED,
    ),
    _Past(
        9,
        "financial",
        "Invoice to another address",
        "Please send invoices to laskut@korhonendesign.example from December on.",
        "",
        "It is changed, the December invoice goes there.",
        State.SOLVED,
    ),
    _Past(
        1.2,
        "technical",
        "Second backup location",
        "Can the nightly backup of VPS-2 be kept in Frankfurt as well?",
        "Backup 500",
        "Yes. How many days should we keep there, 7 or 30?",
        State.WAITING_CUSTOMER,
    ),
)


async def furnish(escalation: Escalation, ana: Operator, go_back: Callable[[timedelta], None], zone: ZoneInfo) -> UUID:
    """The id of the customer. `go_back` sets the clock that `escalation` reads to so long ago."""
    reader = await _record(escalation)
    tickets = escalation.tickets
    numbers = []
    rows = table_of(Ticket)
    for n, past in enumerate(PAST):
        go_back(timedelta(days=past.days))
        new = NewTicket(past.department, NORMAL, past.subject, [past.text], None, past.service, [], [], None, "")
        sent = await submit_ticket(
            tickets, reader, new, ref=f"demo-{n}", locale="en", site_name="Polaris Hosting", zone=zone
        )
        go_back(timedelta(days=past.days) - timedelta(minutes=4 + n))
        async with tickets.db.read() as session:
            asked = select(rows.c.id, rows.c.version).where(rows.c.number == sent.number)
            found = (await session.execute(asked)).one()
        actor = Actor("operator", ana.name, ana.id)
        await tickets.reply(found.id, actor, past.reply, version=found.version, ref=f"demo-{n}-reply", then=past.then)
        numbers.append(sent.number)
    async with tickets.db.write() as session:
        # Earlier numbers than this desk's own, which begin at one.
        for n, number in enumerate(numbers):
            year = number[:5]
            await session.execute(
                update(rows).where(rows.c.number == number).values(number=f"{year}{4101 + 29 * n:06}")
            )
        await session.execute(delete(table_of(TicketCounter)))
        # Of days that are over: what is mailed from now on is what waits.
        mails = table_of(MailOut)
        await session.execute(update(mails).values(state="accepted", changed_at=mails.c.created_at))
    go_back(timedelta())
    return reader.customer_id


async def customer(escalation: Escalation) -> UUID | None:
    rows = table_of(Customer)
    async with escalation.tickets.db.read() as session:
        return (await session.execute(select(rows.c.id).where(rows.c.ref == REF))).scalar_one_or_none()


async def _record(escalation: Escalation) -> CustomerReader:
    account_id, customer_id = new_id(), new_id()
    async with escalation.tickets.db.write() as session:
        session.add(
            Account(id=account_id, account_no="A-20418", name="Korhonen Design Oy", language="en", zone="", tags=[])
        )
        await session.flush()
        session.add(
            Customer(
                id=customer_id,
                account_id=account_id,
                ref=REF,
                name=NAME,
                can_see_tickets=True,
                can_see_billing=True,
            )
        )
        await session.flush()
        session.add(
            EmailAddress(
                id=new_id(),
                account_id=account_id,
                customer_id=customer_id,
                address=EMAIL,
                raw=EMAIL,
                registered=True,
                verified_at=escalation.tickets.clock.now(),
                verified_by="import",
            )
        )
        for n, (name, order, product, location, ip) in enumerate(SERVICES):
            service = Service(
                id=new_id(),
                account_id=account_id,
                service_ref=f"demo-{n}",
                order_no=order,
                name=name,
                name_key=folded(name),
                product=product,
                location=location,
                tags=[],
            )
            session.add(service)
            await session.flush()
            if ip:
                held = parse_range(ip)
                ends = {"ip_from": held.ip_from, "ip_to": held.ip_to}
                session.add(ServiceIp(service_id=service.id, version=held.version, width=held.width, **ends))
    reader = await escalation.customers.reader(customer_id)
    assert reader is not None  # noqa: S101 — written above
    return reader
