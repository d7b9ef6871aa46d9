"""Customers of a running program: records, sign-ins, and the letters that wait for them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlmodel import select

from chat.ids import new_id
from chat.keys import secret_key_of
from chat.people.models import Site
from escalation.client_area.tokens import SiteSecrets
from escalation.customers.models import Account, Customer, EmailAddress, Service, ServiceIp
from escalation.customers.names import folded
from escalation.customers.ranges import parse_range, split_ranges
from escalation.mail.letter import SIGN_IN
from escalation.mail.models import MailOut
from escalation.mail.words import as_text
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


def in_pieces(running: Running, browser: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The same browser; the pieces of its bodies reach the program when it asks for them."""
    transport = httpx2.ASGITransport(app=running.desk.starlette())
    held = httpx2.AsyncClient(
        transport=transport, base_url=running.base_url, headers=browser.headers, cookies=browser.cookies
    )
    running.browsers.append(held)
    return held


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


async def mails_of(running: Running, kind: str) -> list[MailOut]:
    """Of this kind, the oldest first, whatever became of them."""
    async with running.desk.db.read() as session:
        rows = await session.exec(select(MailOut).where(MailOut.kind == kind))
        return sorted(rows, key=lambda row: (row.created_at, row.recipient))


async def text_of(running: Running, mail: MailOut) -> str:
    """Its subject and words."""
    async with running.desk.db.read() as session:
        words = await running.desk.escalation.writer.words(session, mail, running.desk.clock.now())
    if words is None:
        raise RuntimeError("there is nothing left to tell")
    return f"{words.subject}\n{as_text(words)}"


async def secret_of(running: Running, n: int = 1) -> str:
    """The site has one from now on."""
    since = running.desk.clock.now().isoformat()
    async with running.desk.db.write() as session:
        site = (await session.exec(select(Site).where(Site.key == running.site_key))).one()
        site.settings = {"identity": {"n": n, "since": since}}
        session.add(site)
    return SiteSecrets(secret_key_of(running.settings)).of(site.id, n)


async def claims_of(running: Running, rita: Rita, **more: Any) -> dict[str, Any]:
    async with running.desk.db.read() as session:
        ref = (await session.get_one(Customer, rita.customer_id)).ref
    exp = int(running.desk.clock.now().timestamp()) + 300
    return {"use": "enter", "aud": running.site_key, "sub": ref, "exp": exp, "jti": uuid4().hex} | more
