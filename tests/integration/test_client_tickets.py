"""Rita's tickets: opened, read, answered; and Mallory, who sees 404 everywhere and learns nothing."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import col, select
from starlette.datastructures import UploadFile

from chat.db import Database
from chat.ids import new_id
from escalation.change import Actor
from escalation.client_area import kept
from escalation.client_area.models import KeptForm, TicketSubmission
from escalation.mail.about_tickets import PROVE
from escalation.mail.letter import TICKET_NEUTRAL, TICKET_OPENED
from escalation.models import SlaClock, Ticket, TicketIp, TicketLink, TicketMessage, TicketOrder
from escalation.proofs import prove
from escalation.sla.policies import FIRST_REPLY, current_policies, publish
from escalation.sla.policy_tables import CalendarRow
from escalation.states import HIGH, State
from escalation.urgency import PATH
from tests.support.clock import FakeClock
from tests.support.customers import (
    Rita,
    add_customer,
    add_service,
    browser_of,
    in_pieces,
    letters_to,
    mails_of,
    signed_in,
    text_of,
)
from tests.support.program import Running, program

NEW = "/client/tickets/new"
MULTIPART = b'\r\n--x\r\nContent-Disposition: form-data; name="NAME"\r\n\r\n'
PLANTED = "zimzelen-4711"
TEXT = "No ping and no SSH since noon."


@pytest.fixture
async def running(tmp_path: Path, database_url: str, clock: FakeClock) -> AsyncIterator[Running]:
    async with program(tmp_path, database_url, clock=clock, works=False) as desk:
        yield desk


async def opened(browser: httpx2.AsyncClient, **fields: str) -> str:
    """The number of a new ticket."""
    answer = await browser.post(NEW, data={"text": TEXT, "ref": uuid4().hex} | fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/client/tickets/").removesuffix("?opened=1")


async def ticket_of(db: Database, number: str) -> Ticket:
    async with db.read() as session:
        return (await session.exec(select(Ticket).where(Ticket.number == number))).one()


async def test_a_ticket_is_opened_with_what_the_form_says(running: Running) -> None:
    rita = await add_customer(running)
    vps = await add_service(running, rita, "VPS-2 Ljubljana", order="482913", ips="185.203.118.0/29")
    browser = await signed_in(running, rita)
    form = await browser.get(NEW)
    for part in (
        "VPS-2 Ljubljana",
        "First reply within 10 min</b>, at any hour",
        "Central European",
        "critical incidents",
    ):
        assert part in form.text
    assert form.text.count("First reply within") == 1  # all departments promise the same
    number = await opened(
        browser,
        department="technical",
        priority="high",
        where="#482913, 185.203.118.5",
        day="2026-11-25",
        clock="14:20",
        diagnostics="mtr: 100% loss",
    )
    page = await browser.get(f"/client/tickets/{number}?opened=1")
    for part in (
        TEXT,
        "mtr: 100% loss",
        "First reply by",
        "#482913",
        "185.203.118.5",
        "Nov 25, 2026, 14:20",
        "VPS-2 Ljubljana",
    ):
        assert part in page.text
    ticket = await ticket_of(running.desk.db, number)
    assert (ticket.priority, ticket.verify_level, ticket.contact_channel) == (HIGH, 3, "form")
    assert (ticket.account_id, ticket.customer_id, ticket.service_id) == (rita.account_id, rita.customer_id, vps)
    assert ticket.due_at is not None
    assert (ticket.due_at - ticket.created_at).total_seconds() == 600
    async with running.desk.db.read() as session:
        assert sorted([clock.metric for clock in await session.exec(select(SlaClock))]) == ["first_reply", "solve"]
        assert [row.value for row in await session.exec(select(TicketOrder))] == ["482913"]
        assert [row.value for row in await session.exec(select(TicketIp))] == ["185.203.118.5"]
    listed = await browser.get("/client/tickets")
    assert number in listed.text
    assert "With us" in listed.text
    await browser.post(f"/client/tickets/{number}", data={"text": "Žal ŠE VEDNO ne dela 100%"})
    for words, finds in (("žal še vedno", True), ("NE DELA 100%", True), ("zal se", False), ("1_0%", False)):
        assert (number in (await browser.get("/client/tickets", params={"q": words})).text) is finds, words
    desk = await running.signed_in(await running.operator())
    running.browsers.append(desk)
    for path in ("/desk/tickets", f"/desk/tickets/{number}"):
        page = await desk.get(path)
        assert (page.status_code, number in page.text) == (200, True)
    assert "VPS-2 Ljubljana" in page.text


async def test_high_priority_wants_an_address_and_a_description_and_nothing_else(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    for fields in ({"where": "my server", "text": TEXT}, {"where": "#482913", "text": "Down"}, {"text": TEXT}):
        answer = await browser.post(NEW, data={"priority": "high", **fields})
        assert answer.status_code == 422
        assert 'id="summary"' in answer.text
    nonsense = {
        "department": "nowhere", "service": "none", "subject": "s" * 300, "day": "soon", "clock": "late",
        "zone": "Mars/Olympus", "pick": "x", "ref": "\x00", "follows": "T-00-000000", "where": "#482913 web.example",
    }  # fmt: skip
    number = await opened(browser, priority="high", **nonsense)
    assert "web.example" in (await browser.get(f"/client/tickets/{number}")).text


async def test_a_long_report_becomes_several_messages(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    number = await opened(browser, text="line of a log\n" * 1500)
    async with running.desk.db.read() as session:
        texts = [row.text for row in await session.exec(select(TicketMessage).order_by(col(TicketMessage.seq)))]
    assert len(texts) == 3
    assert sum(text.count("line of a log") for text in texts) == 1500
    assert number in (await browser.get("/client/tickets")).text


async def test_what_is_wrong_is_said_and_everything_stays(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    written = {
        "text": "Down",
        "subject": "<b>S</b>",
        "where": "what",
        "clock": "25:99",
        "diagnostics": "d&d",
        "other": "VPS",
    }
    answer = await browser.post(NEW, data=written)
    assert answer.status_code == 422
    for typed in (
        'value="&lt;b&gt;S&lt;/b&gt;"',
        ">Down</textarea>",
        'value="what"',
        "d&amp;d",
        'value="VPS"',
        'value="25:99"',
    ):
        assert typed in answer.text
    assert answer.text.count("field__error") == 3


async def test_what_is_too_long_is_said_and_stays_whole_and_an_outage_takes_it_all(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    long = {
        "text": "The log says " + "t" * 80_000 + " its end",
        "diagnostics": "d" * 80_000 + "end of mtr",
        "subject": "s" * 200 + " end of it",
        "other": "o" * 200 + " end of name",
        "where": "#482913 " * 50 + "#555512",
    }
    refused = await browser.post(NEW, data=long)
    assert refused.status_code == 422
    assert refused.text.count("field__error") == 5
    for says in ("80,000 characters", "longer than 200 characters", "in 400 characters"):
        assert says in refused.text
    for typed in long.values():
        assert typed in refused.text
    many = " ".join(f"10.0.0.{n}" for n in range(1, 22))
    assert "Up to 20 addresses" in (await browser.post(NEW, data={"text": TEXT, "where": many})).text
    ticket = await ticket_of(running.desk.db, await opened(browser, priority="high", **long))
    assert ticket.subject == "s" * 200
    async with running.desk.db.read() as session:
        texts = "".join(
            [row.text for row in await session.exec(select(TicketMessage).order_by(col(TicketMessage.seq)))]
        )
        assert [row.value for row in await session.exec(select(TicketOrder))] == ["482913"], "no part of a number"
    for typed in long.values():
        assert typed in texts
    # Nobody is signed in: it is not kept in part, the browser still has it.
    longer = await browser_of(running).post(NEW, data=long | {"text": "t" * 170_000})
    assert (longer.status_code, "go back" in longer.text) == (413, True)
    # More than is read at all: a tab is told on a page of its language, behind which the text still stands.
    tab = {"accept": "text/html", "accept-language": "sl"}
    for path in (NEW, f"{NEW.removesuffix('/new')}/{ticket.number}"):
        much = await browser.post(path, files={"text": (None, "t" * 1_100_000)}, headers=tab)
        assert (much.status_code, "besedilo je še tam" in much.text) == (413, True)
        assert all(part in much.text for part in ("data-back", 'href="/client"'))
        assert "Nightdesk" not in much.text, "customers know the company"


async def test_an_ambiguous_time_is_asked_back_and_never_stops_an_outage(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    when = {"day": "2026-10-25", "clock": "02:30"}
    asked = await browser.post(NEW, data={"text": TEXT, **when})
    assert asked.status_code == 422
    assert "came twice that night" in asked.text
    pick = re.findall(r'name="pick" value="([^"]+)"', asked.text)[1]
    number = await opened(browser, **when, pick=pick)
    assert (await ticket_of(running.desk.db, number)).started_zone == "CET"
    urgent = await opened(browser, priority="high", where="1.2.3.4", **when)
    page = await browser.get(f"/client/tickets/{urgent}")
    assert "came twice that night" in page.text
    await browser.post(f"/client/tickets/{urgent}/began", data={"pick": "2026-10-25T05:00:00+00:00"})
    assert (await ticket_of(running.desk.db, urgent)).started_at is None
    await browser.post(f"/client/tickets/{urgent}/began", data={"pick": pick})
    assert "came twice" not in (await browser.get(f"/client/tickets/{urgent}")).text
    assert (await ticket_of(running.desk.db, urgent)).started_zone == "CET"


async def test_twenty_clicks_are_one_ticket(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    form = {"text": TEXT, "ref": "the-same-form", "department": "technical"}
    answers = await asyncio.gather(*(browser.post(NEW, data=form) for _ in range(20)))
    assert {answer.headers.get("location") for answer in answers} == {"/client/tickets/T-26-000001?opened=1"}
    for corrected in (
        {"text": "Something else is wrong, too."},
        {"where": "#482913"},
        {"other": "VPS"},
        {"day": "2026-11-20", "clock": "14:20", "zone": "Europe/Ljubljana"},
    ):
        other = await browser.post(NEW, data=form | corrected)
        assert (other.status_code, "T-26-000001" in other.text) == (409, True), corrected
    async with running.desk.db.read() as session:
        assert len((await session.exec(select(Ticket))).all()) == 1
        assert len((await session.exec(select(TicketMessage))).all()) == 1
    # And one acknowledgement.
    (mail,) = await mails_of(running, TICKET_OPENED)
    assert (mail.recipient, mail.state) == (rita.email, "waiting")
    words = await text_of(running, mail)
    assert "The number of your ticket is T-26-000001. A person answers by 21:10 CET." in words


async def test_an_address_on_record_that_nobody_proved_is_asked_first(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running, verified=False))
    await opened(browser)
    assert await mails_of(running, TICKET_OPENED) == []
    assert len(await mails_of(running, TICKET_NEUTRAL)) == 1
    async with running.desk.db.read() as session:
        (proof,) = await session.exec(select(TicketLink).where(TicketLink.scope == PROVE))
    assert await prove(running.desk.escalation.tickets, proof.id)
    await opened(browser)
    assert len(await mails_of(running, TICKET_OPENED)) == 1


async def test_who_opens_very_many_waits_and_an_outage_does_not(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    ticket = await ticket_of(running.desk.db, await opened(browser))
    async with running.desk.db.write() as session:
        session.add_all(
            TicketSubmission(
                customer_id=rita.customer_id, ref=f"ref-{n:08}", ticket_id=ticket.id, digest="", at=clock.now()
            )
            for n in range(29)
        )
    refused = await browser.post(NEW, data={"text": TEXT, "ref": "one-too-many"})
    assert (refused.status_code, TEXT in refused.text) == (429, True)
    assert "You opened 30 tickets in a short time. Write into one of those, or come back at 22:00." in refused.text
    await opened(browser, priority="high", where="#482913")
    clock.advance(3600)
    await opened(browser, ref="one-too-many")


async def test_the_form_promises_what_each_department_does_in_its_hours(running: Running) -> None:
    rita = await add_customer(running)
    async with running.desk.db.write() as session:
        tickets = next(policy for policy in await current_policies(session) if policy.key == "tickets")
        hours = CalendarRow(id=new_id(), name="Days", zone="Europe/Ljubljana", weekly=[[0, 480, 960]], holidays=[])
        session.add(hours)
        await session.flush()
        slow = replace(tickets.targets[FIRST_REPLY], target_seconds=1800, calendar_id=hours.id)
        money = replace(tickets, key="money", position=-1, match={"department": ["financial"]})
        await publish(session, replace(money, targets={FIRST_REPLY: slow}), running.desk.clock.now())
    form = (await (await signed_in(running, rita)).get(NEW)).text
    for name, minutes, when in (("Technical", 10, "at any hour"), ("Financial", 30, "in our working hours")):
        assert re.search(rf"{name}[^<]*: <b>First reply within {minutes} min</b>, {when}", form)


async def test_who_is_not_signed_in_comes_back_to_the_form_as_it_was(running: Running) -> None:
    rita = await add_customer(running)
    browser = browser_of(running)
    written = {
        "text": "Down since <noon>",
        "subject": "VPS-2",
        "where": "#482913",
        "priority": "high",
        "clock": "12:00",
    }
    offered = await browser.get(PATH)  # what urgent words lead to
    assert offered.headers["location"] == f"/client/sign-in?next={NEW}%3Fpriority%3Dhigh"
    sent = await browser.post(NEW, data=written)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/client/sign-in?next={NEW}")
    assert "VPS-2" in (await browser.get(sent.headers["location"])).text  # "is kept"
    await browser.post("/client/sign-in/link", data={"email": rita.email, "next": NEW})
    (link,) = await letters_to(running, rita.email)
    phone = browser_of(running)  # the mail is read elsewhere
    for one in (phone, browser):
        back = await one.post(link)
        if one is phone:
            assert back.headers["location"] == NEW
    form = await phone.get(NEW)
    for typed in (
        ">Down since &lt;noon&gt;</textarea>",
        'value="VPS-2"',
        'value="#482913"',
        'value="12:00"',
        "Nothing has been sent",
    ):
        assert typed in form.text
    assert 'value="high" checked' in form.text
    number = await opened(phone, **written)
    assert number == "T-26-000001"
    fresh = (await phone.get(NEW)).text
    assert "Nothing has been sent" not in fresh
    assert 'value="high" checked' not in fresh
    assert 'value="high" checked' in (await phone.get(PATH)).text


async def test_a_reply_reaches_the_desk_and_a_solved_ticket_opens_again(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    number = await opened(browser)
    path = f"/client/tickets/{number}"
    ref = uuid4().hex
    for _ in range(2):
        answer = await browser.post(path, data={"text": "One more thing", "ref": ref, "action": "send"})
        assert answer.headers["location"] == f"{path}?sent=1"
    ticket = await ticket_of(running.desk.db, number)
    ana = await running.operator()
    tickets, actor = running.desk.escalation.tickets, Actor("operator", ana.name, ana.id)
    await tickets.reply(ticket.id, actor, "Which one?", version=ticket.version, ref="r-1", then=State.WAITING_CUSTOMER)
    page = await browser.get(path)
    assert page.text.count("One more thing") == 1
    assert "Which one?" in page.text
    listed = await browser.get("/client/tickets")
    assert listed.text.index("Needs your answer") < listed.text.index(number)
    assert (await browser.post(path, data={"action": "solved", "text": ""})).status_code == 303
    assert (await ticket_of(running.desk.db, number)).state == State.SOLVED
    await browser.post(path, data={"text": "It is back", "action": "send"})
    assert (await ticket_of(running.desk.db, number)).state == State.OPEN
    empty = await browser.post(path, data={"text": "  ", "action": "send"})
    assert (empty.status_code, "Write a few words" in empty.text) == (422, True)
    async with running.desk.db.read() as session:
        said = (await session.exec(select(TicketMessage).where(TicketMessage.text == "It is back"))).one()
    assert (said.author_id, said.author_kind) == (rita.customer_id, "requester")


async def test_of_who_is_not_signed_in_one_form_is_kept_and_only_so_often(
    running: Running, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(running)
    answers = [await browser.post(NEW, data={"text": TEXT}) for _ in range(kept.PER_HOUR + 1)]
    assert [answer.status_code for answer in answers] == [303] * kept.PER_HOUR + [429]
    async with running.desk.db.read() as session:
        assert len((await session.exec(select(KeptForm))).all()) == 1
    clock.advance(3600)
    monkeypatch.setattr(kept, "MOST", 1)
    assert (await browser_of(running).post(NEW, data={"text": TEXT})).status_code == 429
    assert (await browser.post(NEW, data={"text": TEXT})).status_code == 303  # in place of the older one


async def test_what_comes_with_a_proof_is_small_and_with_a_forged_one_not_read(running: Running) -> None:
    page = f"/t/prove/{uuid4()}"
    much = {"action": "again", "more": "x" * 100_000}
    assert (await browser_of(running).post(running.desk.links.sign(page), data=much)).status_code == 413
    assert (await browser_of(running).post(f"{page}/forged", data=much)).status_code == 404


async def test_a_reply_written_after_the_sign_in_ran_out_is_kept(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    path = f"/client/tickets/{await opened(browser)}"
    await browser.post("/client/sign-out")
    sent = await browser.post(path, data={"text": "half a page"})
    assert sent.headers["location"] == f"/client/sign-in?next={path}"
    await browser.post(await running.desk.escalation.sign_in_links.make(rita.customer_id))
    page = (await browser.get(path)).text
    assert (">half a page</textarea>" in page, "Nothing has been sent yet." in page) == (True, True)
    # Signed in elsewhere meanwhile, "Sign in again" sends nothing.
    again = await browser.post(path, data={"text": "half another", "action": "keep"})
    assert (again.status_code, ">half another</textarea>" in again.text) == (200, True)
    assert ">half another</div>" not in again.text


async def test_a_reply_that_came_too_late_goes_into_the_ticket_that_follows(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    number = await opened(browser)
    path = f"/client/tickets/{number}"
    await browser.post("/client/sign-out")
    await browser.post(path, data={"text": "One <long> reply", "ref": "reply-0001"})
    ticket = await ticket_of(running.desk.db, number)
    tickets = running.desk.escalation.tickets
    await tickets.change_state(ticket.id, Actor("operator", "Omar"), State.CLOSED, version=ticket.version)
    await browser.post(await running.desk.escalation.sign_in_links.make(rita.customer_id))
    kept_words = "One &lt;long&gt; reply</textarea>"
    page = (await browser.get(path)).text
    follows = f"/client/tickets/new?follows={number}"
    assert [part in page for part in (kept_words, f'action="{follows}"', "Nothing has been sent yet.")] == [True] * 3
    for action in ("fill", "keep"):  # "keep": signed out while it was filled in, and in again elsewhere
        form = await browser.post(follows, data={"text": "One <long> reply", "ref": "reply-0001", "action": action})
        assert [part in form.text for part in (kept_words, f'name="follows" value="{number}"')] == [True] * 2
        assert (form.status_code, "reply-0001" in form.text) == (200, False)
    sent = await browser.post(NEW, data={"text": "One <long> reply", "department": "technical", "follows": number})
    assert sent.status_code == 303
    assert "One &lt;long&gt;" not in (await browser.get(path)).text
    # Signed out in between, it is kept as that ticket.
    away = browser_of(running)
    await away.post(follows, data={"text": "Too late again", "action": "fill"})
    await away.post(await running.desk.escalation.sign_in_links.make(rita.customer_id))
    form = await away.get(NEW)
    assert ["Too late again</textarea>" in form.text, f'value="{number}"' in form.text] == [True, True]


async def test_the_card_of_a_closed_ticket_offers_its_customer_the_next_one(running: Running) -> None:
    rita = await add_customer(running)
    omar, tickets = await running.operator("Omar", role="supervisor"), running.desk.escalation.tickets
    async with aclosing(await running.signed_in(omar)) as desk:
        for is_known in (False, True):
            ann = await running.visitor_who_said("The shop is down")
            fields = {"subject": "Shop down", "department": "technical", "priority": "normal"}
            made = await desk.post(f"/desk/conversations/{ann.conversation}/ticket", data=fields)
            number = made.text.split("/desk/tickets/")[1].split('"')[0]
            ticket = await ticket_of(running.desk.db, number)
            if is_known:
                async with running.desk.db.write() as session:
                    (await session.get_one(Ticket, ticket.id)).account_id = rita.account_id
            await tickets.change_state(ticket.id, Actor("operator", "Omar"), State.CLOSED, version=ticket.version)
            shown = await ann.until(
                "said", lambda frame: (frame["entries"][-1].get("card") or {}).get("state") == "Closed"
            )
            links = [(link["label"], link["url"]) for link in shown["entries"][-1]["card"]["links"]]
            assert [label for label, _ in links] == ["View ticket", "Add a ticket that follows it"][: 1 + is_known]
    # The panel stands on another site, and signed out one comes back to the form.
    further = f"/client/tickets/new?follows={number}"
    assert links[1][1] == f"{running.base_url}{further}"
    door = await browser_of(running).get(further)
    assert door.headers["location"] == f"/client/sign-in?next={quote(further, safe='/')}"


async def test_a_strangers_words_never_stand_in_anybodys_reply(running: Running) -> None:
    rita = await add_customer(running)
    path = f"/client/tickets/{await opened(await signed_in(running, rita))}"
    mallory, fresh = browser_of(running), browser_of(running)
    await mallory.post(path, data={"text": "Please cancel my server"})
    await mallory.post("/client/sign-in/link", data={"email": rita.email, "next": path})
    (link,) = await letters_to(running, rita.email)
    landed = await fresh.post(link)
    assert landed.headers["location"] == path
    page = await fresh.get(path)
    assert (page.status_code, "cancel my server" in page.text) == (200, False)
    # It stays with the browser it was written in.
    assert "is kept in this browser" in (await mallory.get(f"/client/sign-in?next={path}")).text


async def test_a_long_form_counts_only_if_its_sender_is_there_at_its_end(running: Running) -> None:
    rita = await add_customer(running)
    number = await opened(await signed_in(running, rita))
    ana = await running.operator(departments=["technical"])

    def form(out: httpx2.AsyncClient, path: str) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield MULTIPART.replace(b"NAME", b"padding") + b"x" * 70_000
            assert (await out.post(path)).status_code == 303
            yield MULTIPART.replace(b"NAME", b"text") + b"written too late\r\n--x--\r\n"

        return pieces()

    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "70200"}
    mine, desk = await signed_in(running, rita), await running.signed_in(ana)
    running.browsers.append(desk)
    replied = await in_pieces(running, mine).post(
        f"/client/tickets/{number}", content=form(mine, "/client/sign-out"), headers=headers
    )
    assert replied.headers["location"] == f"/client/sign-in?next=/client/tickets/{number}"
    again = await signed_in(running, rita)
    added = await in_pieces(running, again).post(NEW, content=form(again, "/client/sign-out"), headers=headers)
    assert added.headers["location"] == f"/client/sign-in?next={NEW}"
    said = await in_pieces(running, desk).post(
        f"/desk/tickets/{number}/messages", content=form(desk, "/console/sign-out"), headers=headers
    )
    assert (said.status_code, said.headers["location"]) == (303, "/console/sign-in")
    async with running.desk.db.read() as session:
        texts = (await session.exec(select(TicketMessage.text))).all()
    assert list(texts) == [TEXT]


async def test_files_of_somebody_who_is_not_signed_in_are_read_past(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []

    async def write(_file: UploadFile, data: bytes) -> None:
        stored.append(len(data))

    monkeypatch.setattr(UploadFile, "write", write)
    browser = browser_of(running)
    sent = await browser.post(NEW, data={"text": "Down \x00since noon"}, files={"files": ("log.txt", b"x" * 300_000)})
    assert (sent.status_code, stored) == (303, [])
    await browser.post(await running.desk.escalation.sign_in_links.make((await add_customer(running)).customer_id))
    assert ">Down since noon</textarea>" in (await browser.get(NEW)).text
    long = {f"field{n}": "x" * 200_000 for n in range(6)}  # each within its own limit
    assert (await browser.post(NEW, data=long, files={"files": ("log.txt", b"")})).status_code == 413


async def test_no_address_holds_what_no_database_keeps(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    for path in ("/client/tickets/%00", f"/w/{running.site_key}%00/loader.js", "/client/sign-in/a%00b"):
        assert (await browser.get(path)).status_code == 404, path
    for path in ("/client/tickets?q=%00a", "/client/conversations?after=1.%00"):
        assert (await browser.get(path)).status_code == 400, path
    long = await browser_of(running).post(f"/client/tickets/{'9' * 250}", data={"text": "a"})
    assert long.status_code == 303


async def test_the_page_waits_for_news_and_a_note_is_none(running: Running) -> None:
    browser = await signed_in(running, await add_customer(running))
    number = await opened(browser)
    page = await browser.get(f"/client/tickets/{number}")
    look = re.findall(r'data-look="(\w+)"', page.text)[0]
    ticket = await ticket_of(running.desk.db, number)
    ana = await running.operator()
    tickets, actor = running.desk.escalation.tickets, Actor("operator", ana.name, ana.id)
    waiting = asyncio.create_task(browser.get(f"/client/tickets/{number}/news", params={"look": look}, timeout=20))
    await tickets.note(ticket.id, actor, PLANTED, ref="n-1")
    noted = await browser.get(f"/client/tickets/{number}")
    assert (f'data-look="{look}"' in noted.text, PLANTED in noted.text) == (True, False)
    assert not waiting.done()
    fresh = await ticket_of(running.desk.db, number)
    await tickets.reply(ticket.id, actor, "On it", version=fresh.version, ref="r-1")
    assert (await waiting).json()["look"] != look


# ── Mallory ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def people(running: Running) -> tuple[Rita, Rita, Rita, Rita]:
    """Rita; Carl of the same account who may see all; Bea who may see tickets but no billing; Mallory of another."""
    rita = await add_customer(running)
    carl = await add_customer(
        running, "Carl", email="carl@acme.example", account=rita.account_id, tickets=True, billing=True
    )
    bea = await add_customer(running, "Bea", email="bea@acme.example", account=rita.account_id, tickets=True)
    mallory = await add_customer(running, "Mallory", email="mallory@evil.example", tickets=True, billing=True)
    return rita, carl, bea, mallory


async def test_rights_on_the_account_decide_who_sees_what(running: Running) -> None:
    rita, carl, bea, _ = await people(running)
    dora = await add_customer(running, "Dora", email="dora@acme.example", account=rita.account_id)
    browser = await signed_in(running, rita)
    technical, financial = await opened(browser), await opened(browser, department="financial")
    seen = {}
    for one in (rita, carl, bea, dora):
        theirs = await signed_in(running, one)
        page = await theirs.get("/client/tickets")
        seen[one.email] = [number in page.text for number in (technical, financial)]
        statuses = [(await theirs.get(f"/client/tickets/{number}")).status_code for number in (technical, financial)]
        assert statuses == [200 if shown else 404 for shown in seen[one.email]]
    assert list(seen.values()) == [[True, True], [True, True], [True, False], [False, False]]
    carls = await signed_in(running, carl)
    await carls.post(f"/client/tickets/{technical}", data={"text": "Carl here, too"})
    page = await browser.get(f"/client/tickets/{technical}")
    assert re.search(r"<b[^>]*>Carl</b>", page.text)


async def test_absent_and_foreign_look_the_same_in_every_way(running: Running) -> None:
    rita, _, _, mallory = await people(running)
    browser, evil = await signed_in(running, rita), await signed_in(running, mallory)
    number = await opened(browser, where="#482913")
    for method, tail in (("GET", ""), ("POST", ""), ("POST", "/began"), ("GET", "/news?look=x")):
        answers = [
            await evil.request(
                method,
                f"/client/tickets/{one}{tail}",
                data={"text": "Hi there", "pick": "x"} if method == "POST" else None,
            )
            for one in (number, "T-26-999999", "T-99-000001", "nonsense")
        ]
        shown = {
            (answer.status_code, re.sub(r"nonce[=-]\S+|T-\d\d-\d{6}|nonsense", "", answer.text)) for answer in answers
        }
        assert len(shown) == 1, (method, tail)
        assert answers[0].status_code == 404
    assert number not in (await evil.get("/client/tickets")).text
    assert "Nothing found" in (await evil.get("/client/tickets", params={"q": number})).text
    async with running.desk.db.read() as session:
        assert len((await session.exec(select(TicketMessage))).all()) == 1


async def test_order_numbers_of_others_are_not_confirmed(running: Running) -> None:
    rita, _, _, mallory = await people(running)
    await add_service(running, rita, "VPS-2", order="482913", ips="185.203.118.7")
    evil = await signed_in(running, mallory)
    pages = []
    for where in ("#482913 185.203.118.7", "#999999 185.203.118.9"):
        number = await opened(evil, where=where)
        page = await evil.get(f"/client/tickets/{number}")
        masked = re.sub(r"nonce[=-]\S+|T-26-\d+|#\d+|185\.[\d.]+|ref\W+value=\S+|data-look=\S+", "", page.text)
        pages.append(masked)
        assert (await ticket_of(running.desk.db, number)).service_id is None
    assert pages[0] == pages[1]
    foreign = await opened(evil, service=str(rita.services["VPS-2"]))
    ticket = await ticket_of(running.desk.db, foreign)
    assert (ticket.service_id, ticket.service_label) == (None, "")


async def test_pages_of_the_list_follow_each_other(running: Running, clock: FakeClock) -> None:
    browser = await signed_in(running, await add_customer(running))
    numbers = []
    for _ in range(23):
        numbers.append(await opened(browser))
        clock.advance(1)
    seen: list[str] = []
    address = "/client/tickets"
    while address:
        page = await browser.get(address)
        seen += re.findall(r'ticket-line" href="/client/tickets/(T-26-\d+)"', page.text)
        more = re.search(r'class="more"><a[^>]*href="([^"]+)"', page.text)
        address = more.group(1).replace("&amp;", "&") if more else ""
    assert seen == numbers[::-1]
    changed = await browser.get("/client/tickets", params={"group": "ours", "after": "99999999999999999999.x"})
    assert numbers[-1] in changed.text
