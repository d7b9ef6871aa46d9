"""`nightdesk demo`: a company, its people and some earlier conversations, so that everything can be tried at once."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import select, update
from sqlmodel import col

from chat import program
from chat.app import Nightdesk
from chat.clock import SystemClock
from chat.conversations.models import CannedResponse, Conversation
from chat.db import Database, table_of
from chat.ids import new_id
from chat.people.models import Department, Operator, Site, Visitor
from chat.people.operators import Operators
from chat.people.sign_in import SignIn
from chat.settings import Settings
from escalation import demo as escalation_demo

SITE = "polaris"
COMPANY = "Polaris Hosting"
OPERATORS = (
    ("ana@polaris.example", "Ana Kovač", "administrator"),
    ("luka@polaris.example", "Luka Zajc", "operator"),
    ("nika@polaris.example", "Nika Potočnik", "operator"),
)
SETTINGS: dict[str, Any] = {
    "topics": {"en": "Plans, prices, domains, invoices", "sl": "Paketi, cene, domene, računi"},
    "suggestions": [
        {
            "question": {"en": "How do I point my domain here?", "sl": "Kako domeno usmerim k vam?"},
            "answer": {
                "en": "Set the name servers ns1.polaris.example and ns2.polaris.example at your registrar. "
                "The change is usually visible within an hour, at the latest within a day.",
                "sl": "Pri registrarju nastavite imenska strežnika ns1.polaris.example in ns2.polaris.example. "
                "Sprememba je običajno vidna v eni uri, najpozneje v enem dnevu.",
            },
        },
        {
            "question": {"en": "What does the VPS-2 plan include?", "sl": "Kaj vključuje paket VPS-2?"},
            "answer": {
                "en": "Two processor cores, 4 GB of memory, 80 GB of NVMe storage and a backup every night, "
                "in Ljubljana or Frankfurt.",
                "sl": "Dve procesorski jedri, 4 GB pomnilnika, 80 GB prostora NVMe in varnostno kopijo vsako noč, "
                "v Ljubljani ali Frankfurtu.",
            },
        },
        {
            "question": {"en": "Where do I find my invoices?", "sl": "Kje najdem svoje račune?"},
            "answer": {
                "en": "Sign in and open Billing, Invoices. Each one can be downloaded as PDF.",
                "sl": "Prijavite se in odprite Obračun, Računi. Vsakega lahko prenesete kot PDF.",
            },
        },
    ],
}
CANNED = (
    (
        "hello",
        "Greeting",
        {
            "en": "Hello {visitor.name}, this is {operator.name}. I am looking at it now.",
            "sl": "Pozdravljeni {visitor.name}, tukaj {operator.name}. Takoj preverim.",
        },
    ),
    (
        "network",
        "Network check",
        {
            "en": "Could you run `mtr -rwc 50` to the address of your server and paste the result here?",
            "sl": "Ali lahko zaženete `mtr -rwc 50` do naslova svojega strežnika in rezultat prilepite sem?",
        },
    ),
    (
        "invoice",
        "Invoice will be corrected",
        {
            "en": "Thank you. We will correct the invoice and send it to your billing address today.",
            "sl": "Hvala. Račun popravimo in ga še danes pošljemo na vaš naslov za račune.",
        },
    ),
    (
        "ticket",
        "We open a ticket",
        {
            "en": "This takes longer than a chat should. I open a ticket, so that you get every step "
            "without waiting here.",
            "sl": "To traja dlje, kot naj bi klepet. Odpiram zahtevek, da dobite vsak korak brez čakanja tukaj.",
        },
    ),
)


class SignInLinks(NamedTuple):
    """Each works once: of the first operator, and of the customer."""

    console: str
    client: str


def prepare(settings: Settings) -> tuple[Nightdesk, SignInLinks]:
    """The program and the ways into it."""
    links = asyncio.run(_prepare(settings))
    return Nightdesk(settings, demo_site=SITE), links


def announce(settings: Settings, links: SignInLinks, seconds: float, *, as_json: bool) -> None:
    site, console = f"{settings.base_url}/", links.console
    if as_json:
        said = {"site": site, **links._asdict(), "mailbox": f"{site}mailbox", "ready_seconds": round(seconds, 3)}
        typer.echo(json.dumps(said))
        return
    typer.echo(
        f"\n  Nightdesk is ready ({seconds:.1f} s)\n\n"
        f"  Demo site         {site}\n"
        f"  Operator console  {console}\n"
        f"                    (signs {OPERATORS[0][1]} in once; a new link at every start)\n"
        f"  Client area       {links.client}\n"
        f"                    (signs {escalation_demo.NAME}, a customer, in once)\n"
        f"  Customers' mail   {site}mailbox\n\n"
        f"  Kept in           {settings.data_dir}\n"
        f"  Stop with         Ctrl+C\n"
    )


class _WoundClock(SystemClock):
    """Of the days before the demo began."""

    back = timedelta()

    def now(self) -> datetime:
        return super().now() - self.back

    def wind(self, back: timedelta) -> None:
        self.back = back


async def _prepare(settings: Settings) -> SignInLinks:
    async with program.opened(settings) as db:
        clock = SystemClock()
        sign_in = SignIn(db, clock, settings)
        async with db.read() as session:
            exists = (await session.execute(select(Site).where(col(Site.key) == SITE))).scalars().first()
        if exists is None:
            await _furnish(db, settings, Operators(db, clock, sign_in.passwords))
        else:
            await _move(db, exists, settings)
        async with db.read() as session:
            first = select(Operator).where(col(Operator.email) == OPERATORS[0][0])
            operator = (await session.execute(first)).scalars().one()
        console = await sign_in.make_link(operator.id)
    return SignInLinks(console, await _customers_link(settings, operator))


async def _customers_link(settings: Settings, ana: Operator) -> str:
    """The customer with tickets of the last days, made as people would have made them."""
    clock = _WoundClock()
    desk = Nightdesk(settings.model_copy(update={"assets": "source", "canary": False}), clock=clock)
    try:
        known = await escalation_demo.customer(desk.escalation)
        if known is None:
            zone = ZoneInfo(settings.time_zone)
            known = await escalation_demo.furnish(desk.escalation, ana, clock.wind, zone)
        return await desk.escalation.sign_in_links.make(known)
    finally:
        await desk.db.close()


async def _furnish(db: Database, settings: Settings, operators: Operators) -> None:
    for email, name, role in OPERATORS:
        await operators.create(email=email, name=name, role=role, locale="en")
    clock = SystemClock()
    now = clock.now()
    site_id = new_id()
    async with db.write() as session:
        session.add(
            Site(
                id=site_id,
                key=SITE,
                name=COMPANY,
                origins=[settings.base_url],
                locale="en",
                settings=SETTINGS,
                created_at=now,
            )
        )
        for shortcut, title, texts in CANNED:
            session.add(CannedResponse(id=new_id(), shortcut=shortcut, title=title, texts=texts))
        await session.flush()
        department = (await session.execute(select(Department).order_by(col(Department.position)))).scalars().first()
        assert department is not None  # noqa: S101 — shipped with the schema
        # Past conversations, so that "how fast answers come" is a measurement from the first moment.
        for n in range(24):
            seconds = 18.0 + (n * 37) % 95
            began = now - timedelta(days=1 + n % 12, minutes=n * 7)
            visitor = Visitor(
                id=new_id(), site_id=site_id, token_hash=f"demo-{n}", pages=[], created_at=began, seen_at=began
            )
            session.add(visitor)
            await session.flush()
            session.add(
                Conversation(
                    id=new_id(),
                    site_id=site_id,
                    visitor_id=visitor.id,
                    department_id=department.id,
                    start_ref=f"demo-{n}",
                    state="ended",
                    page={},
                    created_at=began,
                    ended_at=began + timedelta(minutes=9),
                    first_reply_at=began + timedelta(seconds=seconds),
                    first_reply_seconds=seconds,
                    last_message_at=began,
                )
            )


async def _move(db: Database, site: Site, settings: Settings) -> None:
    """The port of this start: the demo's pages are its own host."""
    origins = [settings.base_url, *(origin for origin in site.origins if not origin.startswith("http://127.0.0.1:"))]
    sites, operators = table_of(Site), table_of(Operator)
    async with db.write() as session:
        await session.execute(update(sites).where(sites.c.id == site.id).values(origins=origins))
        await session.execute(update(operators).values(status="online"))
