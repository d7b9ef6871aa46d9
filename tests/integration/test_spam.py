"""A ticket marked as spam and taken back; a conversation detached from its ticket. On both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from sqlmodel import col, select

from chat.conversations.entry import Author
from chat.db import Database
from chat.people.audit import AuditEntry
from chat.people.models import Operator
from escalation import spam, store
from escalation.change import Actor
from escalation.detaching import detach
from escalation.errors import NotPossible, TicketMoved
from escalation.mail.models import MailOut
from escalation.models import SlaClock, Ticket, TicketAssignment, TicketConversation, TicketEvent
from escalation.sla.alerts import alerts_for
from escalation.states import State
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.taking_part import version_of
from tests.support.tickets import Company, company, queue_of


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


@pytest.fixture
def office(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


async def clocks(acme: Company, ticket: Ticket) -> dict[str, SlaClock]:
    async with acme.db.read() as session:
        found = await session.exec(select(SlaClock).where(SlaClock.subject_id == ticket.id))
        return {clock.metric: clock for clock in found}


async def back(acme: Company, ticket: Ticket, by: Actor | None = None) -> None:
    """By who sees it as it stands."""
    version = await version_of(acme.tickets, ticket.id)
    await spam.take_back(acme.tickets, ticket.id, by or acme.as_omar, version=version)


async def listed(acme: Company) -> dict[str, list[str]]:
    async with acme.db.read() as session:
        reader = await acme.reader()
        lanes = {lane: store.Wanted(lane=lane) for lane in ("open", "solved", "closed", "spam")}
        return {
            lane: [row.ticket.number for row in await queue_of(session, reader, wanted)]
            for lane, wanted in lanes.items()
        }


async def test_marked_and_taken_back_it_stands_where_it_stood(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    before = await clocks(acme, ticket)
    with pytest.raises(TicketMoved):
        await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version - 1)
    for _ in range(2):
        await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
    marked = await office.fresh(ticket)
    assert (marked.state, marked.closed_reason, marked.due_at, marked.version) == (
        "closed", "spam", None, ticket.version + 1,
    )  # fmt: skip
    assert {clock.state for clock in (await clocks(acme, ticket)).values()} == {"cancelled"}
    assert await listed(acme) == {"open": [], "solved": [], "closed": [], "spam": [ticket.number]}
    acme.clock.advance(120)
    for _ in range(2):
        await back(acme, ticket)
    now = await office.fresh(ticket)
    assert (now.state, now.closed_reason, now.closed_at, now.due_at) == (ticket.state, None, None, ticket.due_at)
    assert (now.operator_id, now.operators_turn) == (ticket.operator_id, True)
    after = await clocks(acme, ticket)
    for metric, clock in before.items():
        there = after[metric]
        assert (there.state, there.started_at, there.due_at, there.next_at, there.met_at, there.elapsed_seconds) == (
            clock.state, clock.started_at, clock.due_at, clock.next_at, None, None,
        )  # fmt: skip
    assert (await listed(acme))["open"] == [ticket.number]
    async with acme.db.read() as session:
        audited = await session.exec(select(AuditEntry).order_by(col(AuditEntry.at), col(AuditEntry.id)))
        assert [(one.action, one.about, one.actor_name) for one in audited] == [
            ("ticket.spam_marked", ticket.number, "Omar"), ("ticket.spam_taken_back", ticket.number, "Omar"),
        ]  # fmt: skip
        assert not (await session.exec(select(MailOut))).all()


async def test_a_broken_promise_rings_on_for_whom_it_rang(acme: Company, office: Office) -> None:
    boss, ida = await acme.operator("Boss", "technical", role="supervisor"), await acme.operator("Ida", "technical")
    async with acme.db.write() as session:
        for one in await session.exec(select(Operator)):
            one.present = True
    ticket = await acme.ticket()
    acme.clock.advance(11 * 60)

    async def rings() -> list[list[str]]:
        async with acme.db.read() as session:
            people = (boss, ida, acme.nina, acme.omar)
            return [[one.step for one in await alerts_for(session, who, acme.clock.now())] for who in people]

    while await acme.worker.engine.round():
        pass
    before, marks = await rings(), await clocks(acme, ticket)
    assert before[0] == ["breached"]
    assert ["offer"] in before
    for _ in range(2):
        fresh = await office.fresh(ticket)
        await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=fresh.version)
        assert await rings() == [[], [], [], []]
        await back(acme, ticket)
        assert await rings() == before
        for metric, clock in (await clocks(acme, ticket)).items():
            was = marks[metric]
            assert (clock.alarmed_at, clock.offered_to, clock.absent_at) == (
                was.alarmed_at, was.offered_to, was.absent_at,
            )  # fmt: skip
    assert await acme.worker.engine.round() == 0


async def test_a_pause_goes_on_through_the_mistake(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    ticket = await acme.tickets.reply(ticket.id, acme.as_omar, "Hm", version=ticket.version, ref="reply-0001")
    await acme.tickets.answer(ticket.id, "Well?", ref="answer-0001")
    start = acme.clock.now()
    for state, seconds in ((State.WAITING_THIRD_PARTY, 60), (None, 600), (State.OPEN, 0)):
        fresh = await office.fresh(ticket)
        if state is None:
            await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=fresh.version)
            acme.clock.advance(seconds)
            await back(acme, ticket)
            assert (await office.fresh(ticket)).state == State.WAITING_THIRD_PARTY
            assert (await clocks(acme, ticket))["next_reply"].due_at is None
            continue
        await acme.tickets.change_state(ticket.id, acme.as_omar, state, version=fresh.version)
        acme.clock.advance(seconds)
    due = (await clocks(acme, ticket))["next_reply"].due_at
    assert due == start + timedelta(minutes=10 + 1 + 10)


async def test_only_spam_is_taken_back_and_only_once_closed(acme: Company) -> None:
    ticket = await acme.ticket()
    await back(acme, ticket)
    done = await acme.tickets.change_state(ticket.id, acme.as_omar, State.CLOSED, version=ticket.version)
    with pytest.raises(NotPossible):
        await back(acme, ticket)
    with pytest.raises(NotPossible):
        await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=done.version)


async def test_its_conversation_comes_back_unless_it_became_another_ticket(acme: Company, office: Office) -> None:
    talk = await acme.conversation("The server does not answer")
    ticket = (await acme.escalate(talk)).ticket
    await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
    await acme.says(talk, "I am no robot")
    await acme.worker.sweep()
    assert await office.texts(ticket) == []
    await back(acme, ticket)
    await acme.worker.sweep()
    assert await office.texts(ticket) == ["I am no robot"]
    fresh = await office.fresh(ticket)
    await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=fresh.version)
    other = await acme.escalate(talk)
    assert other.created
    await back(acme, ticket)
    await acme.says(talk, "Still no robot")
    await acme.worker.sweep()
    assert (await office.texts(ticket), await office.texts(other.ticket)) == (["I am no robot"], ["Still no robot"])


async def test_who_asks_again_gets_the_ticket_that_holds_it_not_the_newest(acme: Company, office: Office) -> None:
    talk = await acme.conversation("The server does not answer")
    opened = []
    for _ in range(2):
        opened.append((await acme.escalate(talk)).ticket)
        await spam.mark(acme.tickets, opened[-1].id, acme.as_omar, version=opened[-1].version)
    first, second = opened
    await spam.take_back(acme.tickets, first.id, acme.as_omar, version=(await office.fresh(first)).version)
    again = await acme.escalate(talk)
    assert (again.ticket.number, again.created) == (first.number, False)
    fresh = await office.fresh(first)
    await acme.tickets.change_state(first.id, acme.as_omar, State.CLOSED, version=fresh.version)
    third = await acme.escalate(talk)
    assert third.created
    assert third.ticket.id not in (first.id, second.id)


async def test_what_was_said_meanwhile_keeps_the_promise(acme: Company, office: Office) -> None:
    talk = await acme.conversation("The server does not answer")
    ticket = (await acme.escalate(talk)).ticket
    await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
    await acme.pairing.take(talk, acme.nina)
    acme.clock.advance(60)
    said_at = acme.clock.now()
    nina = Author("operator", acme.nina.id, "Nina")
    await acme.conversations.say(talk, nina, "Which server?", "which-server")
    await acme.says(talk, "The one in Ljubljana")
    acme.clock.advance(3600)
    await back(acme, ticket)
    assert await office.texts(ticket) == ["Which server?", "The one in Ljubljana"]
    fresh = await office.fresh(ticket)
    assert (fresh.first_reply_at, fresh.waiting_since) == (said_at, said_at)
    there = await clocks(acme, ticket)
    first, following = there["first_reply"], there["next_reply"]
    assert (first.state, first.breached_at, first.elapsed_seconds) == ("met", None, 60)
    assert (following.state, following.started_at) == ("running", said_at)
    async with acme.db.read() as session:
        told = await session.exec(select(AuditEntry.actor_name).where(AuditEntry.action == "ticket.spam_taken_back"))
        assert told.one() == "Omar"
    await acme.worker.sweep()
    assert await office.texts(ticket) == ["Which server?", "The one in Ljubljana"]


@pytest.mark.parametrize("how", ["full", "off duty", "by themselves", "with room"])
async def test_taken_back_nobody_is_given_more_than_they_take(acme: Company, office: Office, how: str) -> None:
    ticket = await acme.ticket()
    await spam.mark(acme.tickets, ticket.id, acme.as_nina, version=ticket.version)
    async with acme.db.write() as session:
        omar = await session.get_one(Operator, acme.omar.id)
        omar.ticket_capacity = 2 if how == "with room" else 1
        if how == "off duty":
            omar.duty_from, omar.duty_until = acme.clock.now() - timedelta(hours=8), acme.clock.now()
    await acme.another_visitor()
    other = (await acme.escalate(await acme.conversation("No mail"), acme.as_nina)).ticket
    if how != "off duty":
        await acme.tickets.assign(other.id, acme.as_nina, acme.omar.id, version=other.version)
    by = acme.as_omar if how == "by themselves" else acme.as_nina
    await back(acme, ticket, by)
    holds = how in ("by themselves", "with room")
    assert (await office.fresh(ticket)).operator_id == (acme.omar.id if holds else None)
    async with acme.db.read() as session:
        given = await session.exec(
            select(TicketAssignment).where(
                TicketAssignment.ticket_id == ticket.id, col(TicketAssignment.ended_at).is_(None)
            )
        )
        assert len(given.all()) == holds
    told = "Omar is off duty or has no room: assigned to nobody"
    assert (told in (await office.http.get(f"/desk/tickets/{ticket.number}")).text) is not holds


async def test_taken_back_while_another_ticket_is_opened_one_of_them_holds_the_conversation(acme: Company) -> None:
    for _ in range(5):
        await acme.another_visitor()
        talk = await acme.conversation("The server does not answer")
        ticket = (await acme.escalate(talk)).ticket
        await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
        version = await version_of(acme.tickets, ticket.id)
        _, other = await asyncio.gather(
            spam.take_back(acme.tickets, ticket.id, acme.as_omar, version=version), acme.escalate(talk, acme.as_nina)
        )
        async with acme.db.read() as session:
            now = await session.get_one(Ticket, ticket.id)
            held = await session.exec(
                select(TicketConversation.ticket_id).where(
                    TicketConversation.conversation_id == talk, col(TicketConversation.released_at).is_(None)
                )
            )
            assert (now.state, held.one()) == (ticket.state, other.ticket.id)


async def test_the_page_marks_shows_and_takes_back(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    page, acts = f"/desk/tickets/{ticket.number}", f"/desk/tickets/{ticket.number}/acts"
    office.sign_in.operator_now = await acme.operator("Mallory", "financial")
    for act in ("spam", "not_spam", "detach"):
        assert (await office.post(acts, act=act, version=str(ticket.version))).status_code == 404
    office.sign_in.operator_now = acme.omar
    stale = await office.post(acts, act="spam", version="0")
    assert (stale.status_code, (await office.fresh(ticket)).state) == (409, ticket.state)
    assert (await office.post(acts, act="spam", version=str(ticket.version))).status_code == 303
    shown = (await office.http.get(page)).text
    for words in ("Marked as spam by Omar", "It is no spam", "nobody was told"):
        assert words in shown
    assert ticket.number not in (await office.http.get("/desk/tickets?lane=closed")).text
    assert ticket.number in (await office.http.get("/desk/tickets?lane=spam")).text
    version = str(await version_of(acme.tickets, ticket.id))
    assert (await office.post(acts, act="not_spam", version=version)).status_code == 303
    assert "No spam, taken back by Omar" in (await office.http.get(page)).text
    assert "spam" not in (await office.http.get(await office.link(ticket))).text


# ── detach ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_detached_conversation_goes_on_alone_and_may_become_the_next_ticket(
    acme: Company, office: Office
) -> None:
    talk = await acme.conversation("The server does not answer")
    ticket = (await acme.escalate(talk)).ticket
    await acme.says(talk, "It is the one in Ljubljana")
    acts, page_of_hers = f"/desk/tickets/{ticket.number}/acts", await office.link(ticket)
    assert "You can answer here or in the chat." in (await office.http.get(page_of_hers)).text
    for _ in range(2):
        assert (await office.post(acts, act="detach", version=str(ticket.version))).status_code == 303
    assert "What you write here reaches us at once." in (await office.http.get(page_of_hers)).text
    await acme.says(talk, "Something else: my invoice")
    await acme.worker.sweep()
    assert await office.texts(ticket) == ["It is the one in Ljubljana"]
    fresh = await office.fresh(ticket)
    assert fresh.state == ticket.state
    await acme.tickets.reply(ticket.id, acme.as_omar, "Restarted", version=fresh.version, ref="reply-0001")
    while await acme.tickets.outbox.work_once():
        pass
    transcript = await acme.conversations.transcript_of(talk)
    assert transcript is not None
    assert transcript.messages[-1].text == "Something else: my invoice"
    page = (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    assert "Omar detached the conversation" in page
    assert "Detach the conversation" not in page
    form = await office.http.get(f"/desk/conversations/{talk}/ticket")
    assert (form.status_code, "Open a ticket from this conversation" in form.text) == (200, True)
    other = await acme.escalate(talk)
    assert other.created
    async with acme.db.read() as session:
        ties = await session.exec(
            select(TicketConversation)
            .where(TicketConversation.conversation_id == talk)
            .order_by(col(TicketConversation.escalation_no))
        )
        found = [(tie.escalation_no, tie.ticket_id, tie.released_at is None) for tie in ties]
        told = await session.exec(select(TicketEvent).where(TicketEvent.type == "detached"))
        assert len(told.all()) == 1
    assert found == [(1, ticket.id, False), (2, other.ticket.id, True)]
    await detach(acme.tickets, ticket.id, acme.as_omar, version=0)  # there is nothing left to detach
    await acme.says(talk, "Still there?")
    await acme.worker.sweep()
    assert await office.texts(other.ticket) == ["Still there?"]
