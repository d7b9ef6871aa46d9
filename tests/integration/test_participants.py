"""Who takes part in a ticket: added by an operator, told by mail, gone at once when removed. On both databases."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import col, select

from chat.db import Database
from escalation.change import Actor
from escalation.errors import AlreadyReads, NoAddress, TicketClosed, TooManyPeople
from escalation.mail.after import After
from escalation.mail.letter import TICKET_REPLY, TICKET_SHARED
from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketEvent, TicketParticipant
from escalation.participants import MOST
from escalation.states import State
from escalation.ticket_links import participants_in
from tests.support.clock import FakeClock
from tests.support.customers import Rita, add_customer, browser_of, mails_of, signed_in, text_of
from tests.support.office import BASE, OURS, Office, SignedIn, transport
from tests.support.program import Running, program
from tests.support.taking_part import add, remove, version_of
from tests.support.tickets import company

OMAR = Actor("operator", "Omar")
OUTSIDE = "vito@supplier.example"


@pytest.fixture
async def running(tmp_path: Path, database_url: str, clock: FakeClock) -> AsyncIterator[Running]:
    async with program(tmp_path, database_url, clock=clock, works=False) as desk:
        yield desk


async def ticket_of(running: Running, rita: Rita) -> tuple[Ticket, httpx2.AsyncClient]:
    """Opened by Rita with the form, and her browser."""
    browser = await signed_in(running, rita)
    form = {"text": "No ping since noon.", "ref": uuid4().hex, "department": "technical"}
    answer = await browser.post("/client/tickets/new", data=form)
    number = re.findall(r"T-\d\d-\d{6}", answer.headers["location"])[0]
    async with running.desk.db.read() as session:
        return (await session.exec(select(Ticket).where(Ticket.number == number))).one(), browser


async def there(db: Database, ticket: Ticket) -> list[TicketParticipant]:
    async with db.read() as session:
        return list(await participants_in(session, ticket.id))


async def events(db: Database, ticket: Ticket) -> list[tuple[str, str, str]]:
    """Those of participants: what, who did it, to whom."""
    async with db.read() as session:
        found = await session.exec(
            select(TicketEvent)
            .where(TicketEvent.ticket_id == ticket.id, col(TicketEvent.type).startswith("participant"))
            .order_by(col(TicketEvent.seq))
        )
        return [(one.type, one.actor_name, one.data["address"]) for one in found]


async def reply(running: Running, ticket: Ticket, text: str) -> None:
    tickets = running.desk.escalation.tickets
    await tickets.reply(ticket.id, OMAR, text, version=await version_of(tickets, ticket.id), ref=uuid4().hex)


def link_in(running: Running, mail: MailOut) -> str:
    return running.desk.links.sign(mail.data["link"]).removeprefix(running.base_url)


async def test_a_colleague_without_the_right_reads_what_they_take_part_in_until_they_are_removed(
    running: Running,
) -> None:
    rita = await add_customer(running)
    dora = await add_customer(running, "Dora", email="dora@acme.example", account=rita.account_id, language="sl")
    ticket, ritas = await ticket_of(running, rita)
    other, _ = await ticket_of(running, rita)
    page, doras = f"/client/tickets/{ticket.number}", await signed_in(running, dora)
    tickets, db = running.desk.escalation.tickets, running.desk.db
    assert (await doras.get(page)).status_code == 404
    await add(tickets, ticket.id, OMAR, " Dora@ACME.example ")
    await add(tickets, ticket.id, OMAR, "dora@acme.example")
    (dora_there,) = await there(db, ticket)
    assert (dora_there.customer_id, dora_there.name) == (dora.customer_id, "Dora")
    shown = await doras.get(page)
    assert (shown.status_code, "No ping since noon." in shown.text) == (200, True)
    assert ticket.number in (await doras.get("/client/tickets")).text
    assert (await doras.get(f"/client/tickets/{other.number}")).status_code == 404
    # Whether it is solved, who acts for the account says.
    assert ['value="solved"' in (await one.get(page)).text for one in (ritas, doras)] == [True, False]
    assert (await doras.post(page, data={"text": "Dora here", "action": "solved"})).status_code == 303
    async with db.read() as session:
        assert (await session.get_one(Ticket, ticket.id)).state == State.NEW
    await reply(running, ticket, "On it")
    # Who chose nothing is written to in the account's language, else in what they chose in the client area.
    assert (await doras.post("/client/language", data={"locale": "sl"})).status_code == 303
    await reply(running, ticket, "Done")
    replies = [(mail.recipient, mail.locale) for mail in await mails_of(running, TICKET_REPLY)]
    assert sorted(replies) == [(dora.email, "en"), (dora.email, "sl"), (rita.email, "en"), (rita.email, "en")]
    for _ in range(2):
        await remove(tickets, ticket.id, OMAR, dora_there.id)
    for method, path in (("GET", page), ("POST", page), ("GET", f"{page}/news?look=x")):
        answer = await doras.request(method, path, data={"text": "Still here?"} if method == "POST" else None)
        assert answer.status_code == 404, (method, path)
    assert ticket.number not in (await doras.get("/client/tickets")).text
    assert await events(db, ticket) == [
        ("participant_added", "Omar", dora.email), ("participant_removed", "Omar", dora.email),
    ]  # fmt: skip


async def test_who_is_outside_reads_and_answers_by_their_own_link_until_they_are_removed(running: Running) -> None:
    rita = await add_customer(running)
    ticket, ritas = await ticket_of(running, rita)
    tickets, db = running.desk.escalation.tickets, running.desk.db
    await add(tickets, ticket.id, OMAR, OUTSIDE)
    (shared,) = await mails_of(running, TICKET_SHARED)
    words = await text_of(running, shared)
    assert (shared.recipient, ticket.number in words, "Omar added you" in words) == (OUTSIDE, True, True)
    assert "No ping since noon." not in words
    link, vito = link_in(running, shared), browser_of(running)
    page = await vito.get(link)
    assert (page.status_code, "No ping since noon." in page.text) == (200, True)
    assert ">You<" not in page.text
    assert 'value="solved"' not in page.text
    # Their page and their mails are in the language they chose, and nobody else's are.
    assert '<html lang="en">' in page.text
    for path, locale, status in ((f"{link[:-1]}x", "sl", 404), (link, "xx", 303)):
        assert (await vito.post(f"{path}/language", data={"locale": locale})).status_code == status
    foreign = await vito.post(f"{link}/language", data={"locale": "sl"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert '<html lang="en">' in (await vito.get(link)).text
    chosen = await vito.post(f"{link}/language", data={"locale": "sl"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, link)
    assert '<html lang="sl">' in (await vito.get(link)).text
    # Whether it is solved, the customer says: the words count, the button does not.
    answered = await vito.post(link, data={"text": "It is our line", "action": "solved"})
    assert answered.status_code == 303
    async with db.read() as session:
        assert (await session.get_one(Ticket, ticket.id)).state != State.SOLVED
    assert re.search(r"<b[^>]*>vito@supplier\.example</b>", (await ritas.get(f"/client/tickets/{ticket.number}")).text)
    assert ">Vi<" in (await vito.get(link)).text
    await reply(running, ticket, "Thank you")
    replies = {mail.recipient: mail for mail in await mails_of(running, TICKET_REPLY)}
    vitos = replies[OUTSIDE]
    assert (shared.locale, vitos.locale, replies[rita.email].locale) == ("en", "sl", "en")
    (one,) = await there(db, ticket)
    await remove(tickets, ticket.id, OMAR, one.id)
    for dead in (link, link_in(running, vitos)):
        for method in ("GET", "POST"):
            answer = await vito.request(method, dead, data={"text": "Hi"} if method == "POST" else None)
            assert answer.status_code == 404, method
    async with db.read() as session:
        after = After(running.desk.clock, running.desk.escalation.tickets.mailbox)
        assert await after.lost_standing(session, vitos)
        assert await after.lost_standing(session, shared)
    # Who comes again gets another link; the old one stays dead.
    await add(tickets, ticket.id, OMAR, OUTSIDE)
    again = (await mails_of(running, TICKET_SHARED))[-1]
    assert ((await vito.get(link)).status_code, (await vito.get(link_in(running, again))).status_code) == (404, 200)


async def test_of_another_account_they_are_outside_and_mallory_sees_nothing(running: Running) -> None:
    rita = await add_customer(running)
    mallory = await add_customer(running, "Mallory", email="mallory@evil.example", tickets=True, billing=True)
    ticket, _ = await ticket_of(running, rita)
    tickets = running.desk.escalation.tickets
    await add(tickets, ticket.id, OMAR, OUTSIDE)
    evil = await signed_in(running, mallory)
    assert (await evil.get(f"/client/tickets/{ticket.number}")).status_code == 404
    await add(tickets, ticket.id, OMAR, mallory.email)
    assert [one.customer_id for one in await there(running.desk.db, ticket)] == [None, None]
    assert (await evil.get(f"/client/tickets/{ticket.number}")).status_code == 404


async def test_what_cannot_take_part_is_refused(running: Running) -> None:
    rita = await add_customer(running)
    ticket, _ = await ticket_of(running, rita)
    tickets = running.desk.escalation.tickets
    for wrong in ("", "nobody", "a@b\r\nBcc: x@y.example", f"{'a' * 300}@example.com", "mailer-daemon@example.com"):
        with pytest.raises(NoAddress):
            await add(tickets, ticket.id, OMAR, wrong)
    with pytest.raises(AlreadyReads):
        await add(tickets, ticket.id, OMAR, rita.email)
    for n in range(MOST):
        await add(tickets, ticket.id, OMAR, f"p{n}@example.com")
    with pytest.raises(TooManyPeople):
        await add(tickets, ticket.id, OMAR, OUTSIDE)
    foreign, _ = await ticket_of(running, rita)
    (first, *_) = await there(running.desk.db, ticket)
    await remove(tickets, foreign.id, OMAR, first.id)
    assert len(await there(running.desk.db, ticket)) == MOST
    version = await version_of(tickets, foreign.id)
    await tickets.change_state(foreign.id, OMAR, State.CLOSED, version=version)
    with pytest.raises(TicketClosed):
        await add(tickets, foreign.id, OMAR, OUTSIDE)


async def test_omar_adds_and_removes_on_the_page_and_another_department_does_not(
    db: Database, clock: FakeClock
) -> None:
    async with company(db, clock) as acme:
        sign_in = SignedIn(acme.omar)
        office = Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)
        ticket = await acme.ticket()
        page, acts = f"/desk/tickets/{ticket.number}", f"/desk/tickets/{ticket.number}/acts"
        refused = await office.post(acts, act="add_person", address="vito at home", version=str(ticket.version))
        assert (refused.status_code, 'value="vito at home"' in refused.text) == (422, True)
        assert "Write the address of a person" in refused.text
        assert (
            await office.post(acts, act="add_person", address=OUTSIDE, version=str(ticket.version))
        ).status_code == 303
        shown = (await office.http.get(page)).text
        assert "vito@supplier.example takes part, added by Omar" in shown
        (one,) = await there(db, ticket)
        # What became of the invitation: not sent, refused, sent, and at last used.
        says = ("invitation not sent yet", "invitation not delivered", "link not opened yet", ">by link, added by")
        for said, state in zip(says, ("waiting", "bounced", "accepted", "accepted"), strict=True):
            async with db.write() as session:
                (mail,) = await session.exec(select(MailOut).where(MailOut.kind == TICKET_SHARED))
                mail.state = state
            if said == says[-1]:
                link = acme.links.sign(mail.data["link"]).removeprefix(BASE)
                for _ in range(2):
                    assert (await office.http.get(link, headers=OURS)).status_code == 200
            shown = (await office.http.get(page)).text
            assert [said in shown for said in says] == [one == said for one in says], state
        sign_in.operator_now = await acme.operator("Mallory", "financial")
        for form in (
            {"act": "add_person", "address": "m@evil.example"},
            {"act": "remove_person", "person": str(one.id)},
        ):
            assert (await office.post(acts, **form)).status_code == 404
        assert len(await there(db, ticket)) == 1
        sign_in.operator_now = acme.omar
        version = str(await version_of(acme.tickets, ticket.id))
        assert (await office.post(acts, act="remove_person", person=str(one.id), version=version)).status_code == 303
        assert "takes part no longer, removed by Omar" in (await office.http.get(page)).text
        assert await there(db, ticket) == []
