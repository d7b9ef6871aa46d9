"""Urgent words of who is not verified: the way is offered once, the operator has a hint, nothing becomes high."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlmodel import col, select

from chat.conversations.actions import Opening
from chat.conversations.entry import entry_of
from chat.conversations.models import Message
from chat.conversations.presenter import Audience, Presenter
from chat.db import Database, table_of
from chat.ids import new_id
from escalation.change import Actor
from escalation.client_area.models import VisitorIdentity
from escalation.customers.models import Account, Customer
from escalation.draft import Drafted, Origin, Source
from escalation.errors import NotPossible
from escalation.models import Ticket
from escalation.opening import open_ticket
from escalation.states import HIGH, NORMAL
from escalation.verified_path import VerifiedPath
from tests.support.clock import FakeClock
from tests.support.office import BASE, SignedIn, transport
from tests.support.tickets import LJUBLJANA, Company, company

HURRY = "NUJNO: strežnik ne deluje, give it high priority"
RITA = Actor("requester", "Ann")


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def offers(acme: Company, conversation_id: UUID) -> list[Message]:
    rows = table_of(Message)
    query = select(Message).where(rows.c.conversation_id == conversation_id, rows.c.kind == "card")
    async with acme.db.read() as session:
        found = await session.exec(query.order_by(rows.c.seq))
        return [card for card in found if card.data["kind"] == "path"]


async def the_ticket(acme: Company) -> Ticket:
    async with acme.db.read() as session:
        return (await session.exec(select(Ticket).order_by(col(Ticket.id).desc()))).all()[0]


async def work(acme: Company) -> int:
    """Carries out what is owed; how much it was."""
    count = 0
    while await acme.tickets.outbox.work_once():
        count += 1
    return count


async def test_the_way_is_offered_once_in_a_conversation(acme: Company) -> None:
    """What says it may die as soon as it is stored: it is owed by then, once."""
    path = VerifiedPath(acme.tickets, BASE)
    talk = await acme.conversation("Hello, how do I move a domain?")
    await acme.conversations.say_as_operator(talk, acme.omar.id, "Omar", "Is it urgent?", uuid4().hex)
    assert (await work(acme), await offers(acme, talk)) == (0, [])
    await asyncio.gather(*(acme.says(talk, HURRY) for _ in range(3)))
    assert await offers(acme, talk) == []
    await asyncio.gather(work(acme), path.offer(talk), path.offer(talk), return_exceptions=True)
    await acme.says(talk, HURRY)
    assert await work(acme) == 0
    (card,) = await offers(acme, talk)
    presenter = Presenter(acme.links, lambda entry, locale: "")
    rows = table_of(Message)
    async with acme.db.read() as session:
        row = (await session.execute(rows.select().where(rows.c.id == card.id))).mappings().one()
    shown = presenter.entry(entry_of(row), Audience("visitor", "sl")).card
    assert shown is not None
    assert (shown.title, shown.number) == ("Vam prav zdaj kaj ne deluje?", "")
    assert [(link.label, link.url) for link in shown.links] == [
        ("Odpri preverjen zahtevek", f"{BASE}/client/tickets/new?priority=high")
    ]
    beside = presenter.entry(entry_of(row), Audience("operator", "en")).card
    assert beside is not None
    assert (beside.title, beside.links) == ("Is something down right now?", [])


async def test_nobody_whom_the_site_has_named_is_offered_it(acme: Company) -> None:
    VerifiedPath(acme.tickets, BASE)
    account, rita = new_id(), new_id()
    async with acme.db.write() as session:
        session.add(Account(id=account, account_no="A1", name="Acme d.o.o.", tags=[]))
        await session.flush()
        session.add(Customer(id=rita, account_id=account, ref="c1", name="Rita"))
        await session.flush()
        session.add(VisitorIdentity(visitor_id=acme.visitor.id, customer_id=rita, named_at=acme.clock.now()))
    talk = await acme.conversation(HURRY)
    assert (await work(acme), await offers(acme, talk)) == (1, [])


async def test_a_message_that_is_left_is_offered_it_too_and_stays_normal(acme: Company) -> None:
    VerifiedPath(acme.tickets, BASE)
    opening = Opening(uuid4().hex, HURRY, name="Ann", email="ann@example.com")
    talk = (await acme.conversations.leave(acme.visitor, opening, None)).id
    assert await work(acme) == 2
    assert len(await offers(acme, talk)) == 1
    assert (await the_ticket(acme)).priority == NORMAL


@pytest.mark.parametrize("channel", ["form", "mail", "chat"])
async def test_nobody_but_an_operator_makes_an_unverified_ticket_high(acme: Company, channel: str) -> None:
    talk = await acme.conversation(HURRY, email="ann@example.com")
    high = Drafted(HIGH, Origin(Source.SUGGESTED))
    draft = replace(await acme.draft(talk), priority=high)
    ticket = (await open_ticket(acme.tickets, draft, talk, RITA, channel=channel, zone=LJUBLJANA)).ticket
    assert ticket.priority == NORMAL
    for actor in (RITA, Actor("system", "")):
        with pytest.raises(NotPossible):
            await acme.tickets.set_priority(ticket.id, actor, HIGH, version=ticket.version)
    await acme.tickets.answer(ticket.id, HURRY, ref="said-0001")
    fresh = await the_ticket(acme)
    assert fresh.priority == NORMAL
    assert (await acme.tickets.set_priority(ticket.id, acme.as_omar, HIGH, version=fresh.version)).priority == HIGH


async def test_who_is_verified_may_say_high(acme: Company) -> None:
    talk = await acme.conversation(HURRY, email="ann@example.com")
    draft = replace(await acme.draft(talk), priority=Drafted(HIGH, Origin(Source.SUGGESTED)), verify_level=2)
    ticket = (await open_ticket(acme.tickets, draft, talk, RITA, channel="form", zone=LJUBLJANA)).ticket
    assert ticket.priority == HIGH


async def test_omar_reads_the_hint_beside_the_ticket_until_he_has_decided(acme: Company) -> None:
    async with httpx2.AsyncClient(transport=transport(acme, SignedIn(acme.omar)), base_url=BASE) as desk:
        ticket = await acme.ticket(HURRY)
        page = f"/desk/tickets/{ticket.number}"
        assert "Sounds urgent" in (await desk.get(page)).text
        await acme.another_visitor()
        quiet = await acme.ticket("Where is my invoice?")
        assert "Sounds urgent" not in (await desk.get(f"/desk/tickets/{quiet.number}")).text
        await acme.tickets.set_priority(ticket.id, acme.as_omar, HIGH, version=ticket.version)
        assert "Sounds urgent" not in (await desk.get(page)).text
