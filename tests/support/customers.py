"""Customers of a running program: records, sign-ins, and the letters that wait for them."""

from dataclasses import dataclass, field
from uuid import UUID

import httpx2
from sqlmodel import select

from chat.ids import new_id
from escalation.customers.models import Account, Customer, EmailAddress, Service, ServiceIp
from escalation.customers.names import folded
from escalation.customers.ranges import parse_range, split_ranges
from escalation.mail.letter import SIGN_IN
from escalation.mail.models import MailOut
from tests.support.program import Running


@dataclass
class Rita:
    """A customer on record."""

    account_id: UUID
    customer_id: UUID
    email: str
    services: dict[str, UUID] = field(default_factory=dict)


async def add_customer(
    running: Running,
    name: str = "Rita Zupan",
    *,
    email: str = "rita@acme.example",
    account: UUID | None = None,
    tickets: bool = False,
    billing: bool = False,
    verified: bool = True,
    language: str = "en",
) -> Rita:
    """Of a new account, or of one that is there."""
    customer_id, account_id = new_id(), account or new_id()
    async with running.desk.db.write() as session:
        if account is None:
            number = f"A-{account_id.hex[-6:]}"
            session.add(Account(id=account_id, account_no=number, name="Acme d.o.o.", language=language, tags=[]))
            await session.flush()
        session.add(
            Customer(
                id=customer_id,
                account_id=account_id,
                ref=f"c-{customer_id.hex[-8:]}",
                name=name,
                can_see_tickets=tickets,
                can_see_billing=billing,
            )
        )
        await session.flush()
        session.add(
            EmailAddress(
                id=new_id(),
                account_id=account_id,
                customer_id=customer_id,
                address=email.lower(),
                raw=email,
                registered=True,
                verified_at=running.desk.clock.now() if verified else None,
                verified_by="import" if verified else "",
            )
        )
    return Rita(account_id, customer_id, email)


async def add_service(running: Running, rita: Rita, name: str, *, order: str = "", ips: str = "") -> UUID:
    service_id = new_id()
    async with running.desk.db.write() as session:
        session.add(
            Service(
                id=service_id,
                account_id=rita.account_id,
                service_ref=f"s-{service_id.hex[-8:]}",
                order_no=order,
                name=name,
                name_key=folded(name),
                location="Ljubljana",
                tags=[],
            )
        )
        await session.flush()
        for one in map(parse_range, split_ranges(ips)):
            ends = {"ip_from": one.ip_from, "ip_to": one.ip_to}
            session.add(ServiceIp(service_id=service_id, version=one.version, width=one.width, **ends))
    rita.services[name] = service_id
    return service_id


def browser_of(running: Running, **headers: str) -> httpx2.AsyncClient:
    """A browser on our own pages, with cookies of its own."""
    browser = httpx2.AsyncClient(base_url=running.base_url, headers={"Sec-Fetch-Site": "same-origin"} | headers)
    running.browsers.append(browser)
    return browser


async def signed_in(running: Running, rita: Rita, **headers: str) -> httpx2.AsyncClient:
    """By a link that works once."""
    browser = browser_of(running, **headers)
    answer = await browser.post(await running.desk.escalation.sign_in_links.make(rita.customer_id))
    if answer.status_code != 303:
        raise RuntimeError(f"sign-in answered {answer.status_code}")
    return browser


async def letters_to(running: Running, email: str) -> list[str]:
    """Links that wait in letters to this address, the oldest first, after the outbox has done its work."""
    while await running.desk.outbox.work_once():
        pass
    async with running.desk.db.read() as session:
        rows = await session.exec(select(MailOut).where(MailOut.recipient == email, MailOut.kind == SIGN_IN))
        return [row.data["link"] for row in sorted(rows, key=lambda row: row.created_at)]
