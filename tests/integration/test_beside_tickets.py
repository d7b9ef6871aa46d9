"""Services, open tickets and earlier conversations stand beside every ticket of a customer, by whatever way it came."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlmodel import col, select

from chat.assets import Assets
from chat.db import Database
from chat.ids import new_id
from chat.pages import Pages
from escalation.client_area.models import VisitorIdentity
from escalation.client_area.submitting import submit_ticket
from escalation.client_area.ticket_form import NewTicket
from escalation.customers.known import identified
from escalation.customers.models import Account, Customer, EmailAddress, Service
from escalation.customers.reader import CustomerReader
from escalation.desk.about import AboutRequester
from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketLink, TicketMessage
from escalation.opening import open_ticket
from escalation.ownership import Action, record_action
from escalation.proofs import prove
from escalation.splitting import split
from escalation.states import NORMAL
from tests.support.clock import FakeClock
from tests.support.office import BASE, OURS, SignedIn, transport
from tests.support.tickets import LJUBLJANA, ROOT, Company, company


@dataclass
class Scene:
    """Rita, of whom the company has no address, was named by its site before she wrote in chat."""

    acme: Company
    desk: httpx2.AsyncClient
    account: UUID
    rita: UUID
    talk: UUID

    async def form(self) -> str:
        reader = CustomerReader(self.rita, "Rita", self.account, "A1", "Acme d.o.o.", False, False, "en", "")
        new = NewTicket("technical", NORMAL, "No ping", ["Nothing answers"], None, "", [], [], None, "")
        sent = await submit_ticket(
            self.acme.tickets, reader, new, ref=uuid4().hex, locale="en", site_name="Acme", zone=LJUBLJANA
        )
        return sent.number

    async def of_talk(self) -> Ticket:
        draft = await identified(self.acme.tickets.registry, await self.acme.draft(self.talk), 0)
        actor = self.acme.as_omar
        return (await open_ticket(self.acme.tickets, draft, self.talk, actor, channel="chat", zone=LJUBLJANA)).ticket

    async def page(self, number: str) -> str:
        return (await self.desk.get(f"/desk/tickets/{number}")).text


@pytest.fixture
async def scene(db: Database, clock: FakeClock) -> AsyncIterator[Scene]:
    async with company(db, clock) as acme:
        account, rita = new_id(), new_id()
        async with db.write() as session:
            session.add(Account(id=account, account_no="A1", name="Acme d.o.o.", tags=[]))
            await session.flush()
            session.add(Customer(id=rita, account_id=account, ref="c1", name="Rita"))
            session.add(
                Service(
                    id=new_id(), account_id=account, service_ref="s1", name="VPS-2 shop", name_key="vps-2 shop", tags=[]
                )
            )
            await session.flush()
            session.add(VisitorIdentity(visitor_id=acme.visitor.id, customer_id=rita, named_at=clock.now()))
        talk = await acme.conversation("Do you host shops?", email="typed@example.com")
        async with httpx2.AsyncClient(transport=transport(acme, SignedIn(acme.omar)), base_url=BASE) as desk:
            yield Scene(acme, desk, account, rita, talk)


async def test_a_ticket_by_form_has_all_of_it_beside(scene: Scene) -> None:
    first, second = await scene.form(), await scene.form()
    page = await scene.page(second)
    assert "VPS-2 shop" in page
    assert f'href="/desk/tickets/{first}"' in page
    assert f'href="/console/conversations/{scene.talk}"' in page
    assert "no address of theirs is verified" in page
    # What it says of itself is true of a form: nobody left a message, and there is no chat to answer in.
    for part in ("from the client area, Nov 25", "Ticket opened in the client area", "to Rita, on the ticket page"):
        assert part in page
    assert "in chat and on the ticket page" not in page
    talk = await scene.page((await scene.of_talk()).number)
    assert "to Rita, in chat and on the ticket page" in talk
    assert "from a conversation, Nov 25" in talk


@pytest.mark.parametrize("with_customer", [True, False])
async def test_a_ticket_by_mail_has_it_whatever_its_address(scene: Scene, with_customer: bool) -> None:
    """Also one that is known to be the account's and of nobody in particular."""
    first, second = await scene.form(), await scene.form()
    async with scene.acme.db.write() as session:
        mailed = (await session.exec(select(Ticket).where(Ticket.number == second))).one()
        mailed.contact_channel, mailed.requester_email = "mail", "elsewhere@example.com"
        if not with_customer:
            mailed.customer_id = None
    page = await scene.page(second)
    for part in ("VPS-2 shop", f'href="/desk/tickets/{first}"', "Acme d.o.o.", "from a mail, Nov 25"):
        assert part in page
    assert (f'href="/console/conversations/{scene.talk}"' in page) is with_customer


async def test_who_is_not_known_has_nothing_beside(scene: Scene) -> None:
    number = await scene.form()
    await scene.acme.another_visitor()
    page = await scene.page((await scene.acme.ticket("I am Rita of Acme d.o.o.")).number)
    for part in ("VPS-2 shop", f'href="/desk/tickets/{number}"', str(scene.talk)):
        assert part not in page


async def test_whom_the_site_has_named_is_known_without_an_address(scene: Scene) -> None:
    templates = {
        "console": ROOT / "chat" / "console" / "templates",
        "desk": ROOT / "escalation" / "desk" / "templates",
    }
    pages = Pages(scene.acme.strings, Assets(roots={}, packed=False), templates, BASE, clock=scene.acme.clock)
    shown = await AboutRequester(scene.acme.tickets, pages).of_conversation(scene.talk, scene.acme.omar, "en")
    assert "nothing is proven" not in shown
    for part in ("level 3", "VPS-2 shop", "Acme d.o.o.", "no address of theirs is verified"):
        assert part in shown


async def test_later_words_of_whom_the_site_has_named_are_as_sure_as_the_first(scene: Scene) -> None:
    acme, ticket = scene.acme, await scene.of_talk()

    async def later(text: str) -> TicketMessage:
        await acme.says(scene.talk, text)
        await acme.tickets.copy_said(scene.talk)
        async with acme.db.read() as session:
            return (await session.exec(select(TicketMessage).where(TicketMessage.text == text))).one()

    said = await later("Change my contact address")
    assert said.sender_level == 3
    async with acme.db.read() as session:
        version = (await session.get_one(Ticket, ticket.id)).version
    wished = Action.CONTACT_CHANGE
    await record_action(acme.tickets, ticket.id, acme.as_omar, wished, asked_in=said.seq, version=version)
    new = {"subject": "Contact", "department": "technical"}
    off = await split(acme.tickets, ticket.id, said.seq, acme.as_omar, **new, zone=LJUBLJANA)
    assert (off.customer_id, off.verify_level) == (scene.rita, 3)
    # Of a ticket that is somebody else's by now they say nothing.
    async with acme.db.write() as session:
        (await session.get_one(Ticket, ticket.id)).customer_id = None
    assert (await later("And my password")).sender_level == 0


@pytest.mark.parametrize("is_active", [True, False])
async def test_a_link_to_the_address_on_record_says_whose_ticket_it_is(scene: Scene, is_active: bool) -> None:
    acme, on_record = scene.acme, "rita@acme.example"
    async with acme.db.write() as session:
        held = EmailAddress(id=new_id(), address=on_record, raw=on_record, registered=True)
        held.account_id, held.customer_id, held.verified_at = scene.account, scene.rita, acme.clock.now()
        session.add(held)
        (await session.get_one(Customer, scene.rita)).active = is_active
        (await session.exec(select(Service))).one().order_no = "482913"
    await acme.another_visitor()
    ticket = (await acme.escalate(await acme.conversation("Order 482913 is down", email="Rita@acme.example"))).ticket
    async with acme.db.read() as session:
        proof = (await session.exec(select(TicketLink.id).where(TicketLink.scope == "prove"))).one()
        in_chat = (await session.exec(select(TicketLink.id).where(TicketLink.scope == "requester"))).one()
    mailed = await prove(acme.tickets, proof)
    for path in (mailed, f"/t/{in_chat}"):
        page = acme.links.sign(str(path)).removeprefix(BASE)
        assert "VPS-2 shop" not in (await scene.desk.get(page)).text, "nothing of the account where anybody may sit"
        answered = await scene.desk.post(page, data={"text": f"by {path}"}, headers=OURS)
        assert answered.status_code == 303
    async with acme.db.read() as session:
        fresh = await session.get_one(Ticket, ticket.id)
        said = select(TicketMessage.sender_level).where(TicketMessage.ticket_id == ticket.id)
        levels = list(await session.exec(said.order_by(col(TicketMessage.seq))))
    whose = (fresh.verify_method, fresh.verify_level, fresh.customer_id, fresh.account_id, fresh.service_id is not None)
    if is_active:
        assert (whose, levels) == (("link", 2, scene.rita, scene.account, True), [0, 2, 0])
    else:
        assert (whose, levels) == (("link", 1, None, None, False), [0, 1, 0])
    assert ("VPS-2 shop" in await scene.page(ticket.number)) is is_active


async def test_an_address_that_the_named_one_typed_is_asked_before_it_gets_an_answer(scene: Scene) -> None:
    ticket = await scene.of_talk()
    assert (ticket.customer_id, ticket.verify_level, ticket.requester_email) == (scene.rita, 3, "typed@example.com")

    async def mails() -> list[str]:
        async with scene.acme.db.read() as session:
            return list(await session.exec(select(MailOut.kind).order_by(col(MailOut.id))))

    acme = scene.acme
    await acme.tickets.reply(ticket.id, acme.as_omar, "We do", version=ticket.version, ref="reply-0001")
    assert await mails() == ["ticket_neutral"]
    async with acme.db.read() as session:
        proof = (await session.exec(select(TicketLink.id).where(TicketLink.scope == "prove"))).one()
        version = (await session.get_one(Ticket, ticket.id)).version
    assert await prove(acme.tickets, proof)
    await acme.tickets.reply(ticket.id, acme.as_omar, "And mail", version=version, ref="reply-0002")
    assert await mails() == ["ticket_neutral", "ticket_reply"]
