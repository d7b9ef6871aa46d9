"""Alarms and promises as people see them: on the desk, on the requester's page, on the public contact page."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from sqlmodel import select

from chat.db import Database
from chat.ids import new_id
from chat.public import Conversation, Message, Operator
from escalation.models import SlaClock, Ticket
from escalation.sla.policies import current_policies, publish
from escalation.sla.policy_tables import CalendarRow
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport, version_of
from tests.support.tickets import Company, company


@pytest.fixture
async def office(sqlite_db: Database, clock: FakeClock) -> AsyncIterator[Office]:
    async with company(sqlite_db, clock) as acme:
        sign_in = SignedIn(acme.omar)
        yield Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


async def late(office: Office, seconds: int) -> Ticket:
    ticket = await office.acme.ticket()
    office.acme.clock.advance(seconds)
    await office.acme.worker.engine.round()
    return ticket


async def test_omar_is_alerted_on_every_page_of_the_desk(office: Office) -> None:
    ticket = await late(office, 301)
    for path in ("/desk/tickets", f"/desk/tickets/{ticket.number}", "/desk/alarms", "/desk/tickets/T-26-999999"):
        page = await office.http.get(path)
        assert "it is yours and waits for a reply" in page.text
    office.sign_in.operator_now = office.acme.nina
    assert "waits for a reply" not in (await office.http.get("/desk/alarms")).text
    office.sign_in.operator_now = None
    assert (await office.http.get("/desk/alarms")).status_code == 303


async def test_nina_takes_what_is_offered_to_her(office: Office) -> None:
    async with office.acme.db.write() as session:
        (await session.get_one(Operator, office.acme.nina.id)).present = True
    ticket = await late(office, 481)
    office.sign_in.operator_now = office.acme.nina
    page = await office.http.get("/desk/alarms")
    assert "offered to you: you have the most room" in page.text
    version = re.search(r'name="version" value="(\d+)"', page.text)
    assert version is not None
    await office.post(
        f"/desk/tickets/{ticket.number}/properties",
        field="operator", operator=str(office.acme.nina.id), version=version.group(1),
    )  # fmt: skip
    assert (await office.fresh(ticket)).operator_id == office.acme.nina.id


async def test_a_breach_shows_and_its_reason_is_given(office: Office) -> None:
    ticket = await late(office, 601)
    listed = await office.http.get("/desk/tickets")
    assert '<span class="chip chip--ringing">breached</span>' in listed.text
    path = f"/desk/tickets/{ticket.number}"
    page = await office.http.get(path)
    assert "Why was it late?" in page.text
    assert "Breached: no first reply by the time promised" in page.text
    async with office.acme.db.read() as session:
        clock = (await session.exec(select(SlaClock).where(SlaClock.metric == "first_reply"))).one()
    form = {"field": "breach_reason", "clock": str(clock.id)}
    for reason, status in (("", 422), ("x" * 501, 422), ("Two outages at once", 303)):
        answer = await office.post(f"{path}/properties", reason=reason, **form)
        assert answer.status_code == status
        assert status == 303 or f'value="{reason}"' in answer.text
    wrong = await office.post(f"{path}/properties", field="breach_reason", clock=str(new_id()), reason="Because")
    assert wrong.status_code == 422
    page = await office.http.get(path)
    assert "Why was it late?" not in page.text
    assert "Two outages at once" in page.text


async def test_the_next_update_is_named_and_rita_reads_it(office: Office) -> None:
    ticket = await office.acme.ticket()
    path, link = f"/desk/tickets/{ticket.number}", await office.link(ticket)
    version = version_of(await office.http.get(path))
    for text in ("soon", "25:00", "12:61", ""):
        answer = await office.post(f"{path}/properties", field="update_by", update_by=text, version=version)
        assert answer.status_code == 422
        assert "within the next 24 hours" in answer.text
    # It is 21:00 in Ljubljana; the first reply is promised earlier and stands above.
    done = await office.post(f"{path}/properties", field="update_by", update_by="21:30", version=version)
    assert done.status_code == 303
    page = await office.http.get(path)
    assert "Investigating, next update by 21:30" in page.text
    theirs = await office.http.get(link)
    assert "First reply by" in theirs.text
    assert "Investigating, next update by 22:30" in theirs.text  # her zone is Helsinki
    assert "Preiskujemo, naslednje obvestilo do 22:30" in (await office.http.get(f"{link}?lang=sl")).text


async def test_what_is_not_of_today_names_its_day(office: Office) -> None:
    """It is 23:55 for Ann in Helsinki and 22:55 in Ljubljana: her promise is of tomorrow, not the operators'."""
    acme = office.acme
    acme.clock.advance(115 * 60)
    ticket = await acme.ticket("The server does not answer")
    path, link = f"/desk/tickets/{ticket.number}", await office.link(ticket)
    assert "by 23:05" in (await office.http.get(path)).text
    assert "First reply by Nov 26 00:05" in (await office.http.get(link)).text
    assert "Prvi odgovor do 26. nov. 00:05" in (await office.http.get(f"{link}?lang=sl")).text
    async with acme.db.read() as session:
        card = (await session.exec(select(Message).where(Message.kind == "card"))).one()
    assert card.data["due_label"] == {"en": "First reply by Nov 26", "sl": "Prvi odgovor do 26. nov."}
    acme.clock.advance(600)  # for both sides it is tomorrow's or today's day only once it is
    await acme.tickets.reply(
        ticket.id, acme.as_omar, "Soon", version=(await office.fresh(ticket)).version, ref="r-000001"
    )
    acme.clock.advance(86_400)
    page = (await office.http.get(path)).text
    assert re.search(r"Transcript.*?>Nov 25 22:55<", page, re.DOTALL)
    assert re.search(r'class="why".*?>Nov 25 23:05<.*?>Nov 25 22:55<', page, re.DOTALL)
    theirs = (await office.http.get(f"{link}?lang=sl")).text
    assert re.search(r"<time[^>]*>25. nov. 23:55</time>", theirs)
    assert re.search(r"<time[^>]*>26. nov. 00:05</time>", theirs)


async def test_a_reason_that_is_not_taken_stays_in_the_banner(office: Office) -> None:
    talk = await office.acme.conversation("It is down")
    await office.acme.worker.engine.talks.round()
    await office.acme.pairing.take(talk, office.acme.omar)
    for _ in range(140):
        office.acme.clock.advance(5)
        await office.acme.worker.engine.talks.round()
    async with office.acme.db.read() as session:
        clock = (await session.exec(select(SlaClock).where(SlaClock.subject_id == talk))).one()
    path = f"/desk/alarms/{clock.id}/reason"
    # It is asked for on every page of the desk.
    assert path in (await office.http.get("/desk/tickets")).text
    for reason, says in (("x" * 501, "longer than 500 characters"), ("", "a few words")):
        refused = await office.post(path, reason=reason)
        assert (refused.status_code, says in refused.text) == (422, True)
        assert f'value="{reason}" aria-invalid="true"' in refused.text
    assert (await office.post(path, reason="Two at once")).status_code == 303


async def test_alarms_and_reasons_are_nobodys_business_outside(office: Office) -> None:
    ticket = await late(office, 601)
    async with office.acme.db.read() as session:
        clock = (await session.exec(select(SlaClock).where(SlaClock.metric == "first_reply"))).one()
    await office.acme.tickets.explain_breach(ticket.id, office.acme.as_omar, clock.id, "zimzelen-4711")
    page = await office.http.get(await office.link(ticket))
    assert "The first reply is late" in page.text
    assert not {"zimzelen-4711", "alerted", "supervisor", "Breached"} & set(re.findall(r"[\w-]+", page.text))


# ── the contact page ─────────────────────────────────────────────────────────────────────────────────────────────────


def cells(page: httpx2.Response) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page.text, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


async def answered(acme: Company, count: int, seconds: float) -> None:
    """Conversations with a first reply."""
    first = await acme.conversation("Hello")
    async with acme.db.write() as session:
        like = await session.get_one(Conversation, first)
        for n in range(count):
            values = like.model_dump() | {"id": new_id(), "start_ref": f"ref-{n}"}
            session.add(
                Conversation(**values | {"first_reply_at": acme.clock.now(), "first_reply_seconds": seconds + n})
            )


async def test_four_rows_four_columns_without_sign_in(office: Office) -> None:
    office.sign_in.operator_now = None
    page = await office.http.get("/contact")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "public, max-age=60"
    table = cells(page)
    assert [len(row) for row in table] == [4, 4, 4, 4, 4]
    assert table[0] == ["Method", "Purpose", "Response time", "Access"]
    told = [re.sub(r"<[^>]+>", " ", row[2]).replace("\u00a0", " ") for row in table[1:]]
    assert [text.split("not enough")[0].strip() for text in told] == [
        "first reply within 10 min", "immediately", "15–30 min", "in real time"
    ]  # fmt: skip
    assert "not enough data: 0 tickets in 30 days" in told[0]
    for text in ("spam", "merged", "automatic mail", "operators opened themselves"):
        assert text in page.text


async def test_it_is_in_slovenian_by_choice_and_by_browser(office: Office) -> None:
    for page in (
        await office.http.get("/contact?lang=sl"),
        await office.http.get("/contact", headers={"Accept-Language": "sl,en;q=0.5"}),
    ):
        assert '<html lang="sl">' in page.text
        assert cells(page)[0] == ["Način", "Namen", "Odzivni čas", "Dostop"]
        assert "prvi odgovor v 10\u00a0min" in page.text
        assert "ni dovolj podatkov: 0 zahtevkov v 30 dneh" in page.text


async def test_a_changed_target_changes_the_page(office: Office) -> None:
    assert "first reply within 10\u00a0min" in (await office.http.get("/contact")).text
    async with office.acme.db.write() as session:
        tickets = next(policy for policy in await current_policies(session) if policy.key == "tickets")
        targets = {name: replace(target, target_seconds=420) for name, target in tickets.targets.items()}
        await publish(session, replace(tickets, targets=targets), office.acme.clock.now())
    assert "first reply within 10\u00a0min" in (await office.http.get("/contact")).text  # at most a minute old
    office.acme.clock.advance(60)
    assert "first reply within 7\u00a0min" in (await office.http.get("/contact")).text


async def test_it_is_said_to_be_at_any_hour_only_where_it_is(office: Office) -> None:
    assert "We answer at any hour" in (await office.http.get("/contact")).text
    async with office.acme.db.write() as session:
        tickets = next(policy for policy in await current_policies(session) if policy.key == "tickets")
        hours = CalendarRow(id=new_id(), name="Days", zone="Europe/Ljubljana", weekly=[[0, 480, 960]], holidays=[])
        session.add(hours)
        await session.flush()
        targets = {name: replace(target, calendar_id=hours.id) for name, target in tickets.targets.items()}
        await publish(session, replace(tickets, targets=targets), office.acme.clock.now())
    office.acme.clock.advance(60)
    page = (await office.http.get("/contact")).text
    assert "at any hour" not in page
    assert "The promised times run in our working hours." in page


async def test_measurements_stand_beside_the_promises_from_twenty_on(office: Office) -> None:
    await answered(office.acme, 19, 40)
    page = await office.http.get("/contact")
    assert "not enough data: 19 conversations in 30 days" in page.text
    office.acme.clock.advance(60)
    await office.acme.another_visitor()
    await answered(office.acme, 21, 41)
    english = await office.http.get("/contact")
    assert "half within 50\u00a0s, 9 of 10 within 58\u00a0s" in english.text
    assert "40 conversations" in english.text
    assert "97.5% within 1\u00a0min" in english.text
    slovenian = (await office.http.get("/contact?lang=sl")).text
    assert "97,5\u00a0% v 1\u00a0min" in slovenian
    office.acme.clock.advance(timedelta(days=31).total_seconds())
    assert "not enough data: 0 conversations in 30 days" in (await office.http.get("/contact")).text
