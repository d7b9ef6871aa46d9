"""A conversation becomes a ticket and both stay one thread, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.console.context import conversation_view
from chat.conversations.actions import Opening
from chat.conversations.entry import Author
from chat.conversations.models import Message
from chat.conversations.presenter import Presenter
from chat.db import Database
from chat.ids import new_id
from escalation import store
from escalation.change import Actor
from escalation.errors import NotPossible, TextEmpty, TextTooLong, TicketClosed, TicketMoved
from escalation.freezing import digest
from escalation.models import (
    SlaClock,
    Ticket,
    TicketAssignment,
    TicketConversation,
    TicketEvent,
    TicketIp,
    TicketMessage,
    TicketOrder,
    TicketTranscript,
)
from escalation.opening import open_ticket
from escalation.queue import FAR, LANES
from escalation.requesters_store import requesters_ticket
from escalation.sla.policies import FIRST_REPLY
from escalation.states import HIGH, NORMAL, State
from escalation.ticket_links import link_for
from escalation.transfers import transfer
from escalation.worklist import counts
from tests.support.clock import FakeClock
from tests.support.tickets import LJUBLJANA, Company, company, queue_of

PROBLEM = "Hi, our shop is down. Since 20:40, order #482913, address 185.203.118.7."


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def cards(acme: Company, conversation_id: UUID) -> list[Message]:
    async with acme.db.read() as session:
        found = await session.exec(
            select(Message)
            .where(Message.conversation_id == conversation_id, Message.kind == "card")
            .order_by(col(Message.seq))
        )
        return list(found)


async def said(acme: Company, conversation_id: UUID) -> list[str]:
    transcript = await acme.conversations.transcript_of(conversation_id)
    assert transcript is not None
    return [message.text for message in transcript.messages]


async def thread(acme: Company, ticket: Ticket) -> list[tuple[str, str]]:
    async with acme.db.read() as session:
        found = await store.operators_ticket(session, ticket.number, await acme.reader())
    assert found is not None
    return [(message.kind, message.text) for message in found.messages if message.kind != "transcript"]


async def current(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def events(acme: Company, ticket: Ticket) -> list[str]:
    async with acme.db.read() as session:
        found = await session.exec(
            select(TicketEvent.type).where(TicketEvent.ticket_id == ticket.id).order_by(col(TicketEvent.seq))
        )
        return list(found)


async def link_of(acme: Company, ticket: Ticket) -> UUID:
    async with acme.db.write() as session:
        return await link_for(session, await session.get_one(Ticket, ticket.id), "", acme.clock.now())


async def test_omar_makes_a_ticket_of_what_ann_said(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM, "Please hurry", email="ann@example.com")
    await acme.conversations.note(conversation, acme_author(acme), "She is the one from last week", uuid4().hex)
    opened = await acme.escalate(conversation)
    ticket = opened.ticket
    assert (opened.created, ticket.number, ticket.state) == (True, "T-26-000001", "open")
    assert (ticket.subject, ticket.priority, ticket.operator_id) == ("Our shop is down", NORMAL, acme.omar.id)
    assert ticket.due_at == ticket.created_at + timedelta(minutes=10)
    assert (ticket.requester_email, ticket.verify_level) == ("ann@example.com", 0)
    async with acme.db.read() as session:
        orders = (await session.exec(select(TicketOrder.value))).all()
        addresses = (await session.exec(select(TicketIp.value))).all()
        transcript = (await session.exec(select(TicketTranscript))).one()
        clock = (await session.exec(select(SlaClock).where(SlaClock.metric == FIRST_REPLY))).one()
    assert (orders, addresses) == (["482913"], ["185.203.118.7"])
    assert [row["text"] for row in transcript.body] == [PROBLEM, "Please hurry"]
    assert [row["text"] for row in transcript.operators_body] == ["She is the one from last week"]
    assert transcript.sha256 == digest(transcript.body, transcript.operators_body)
    assert (clock.metric, clock.state, clock.due_at) == ("first_reply", "running", ticket.due_at)
    [card] = await cards(acme, conversation)
    assert (card.data["number"], card.data["due_label"]["sl"]) == ("T-26-000001", "Prvi odgovor do")
    assert await events(acme, ticket) == ["created", "escalated", "assigned", "state"]
    assert ("ticket", "T-26-000001") in acme.nudges


async def test_the_console_shows_a_card_once_as_it_is_now(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    await acme.tickets.reply(ticket.id, acme.as_omar, "We look", version=ticket.version, ref="reply-0001")
    presenter = Presenter(acme.links, lambda entry, locale: f"{entry.seq} {entry.card.revision}" if entry.card else "")
    async with acme.db.read() as session:
        view = await conversation_view(
            session, conversation, acme.omar, presenter, locale="en", unnamed="Visitor", now=acme.clock.now()
        )
    assert view is not None
    first, newest = (await cards(acme, conversation))[0], (await cards(acme, conversation))[-1]
    assert newest.data["revision"] > 1
    assert [entry for entry in view.entries if entry] == [f"{first.seq} {newest.data['revision']}"]


def acme_author(acme: Company) -> Author:
    return Author("operator", acme.omar.id, acme.omar.name)


async def test_sixty_at_once_get_one_ticket(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    draft = await acme.draft(conversation)
    actors = [acme.as_omar, acme.as_nina]
    opened = await asyncio.gather(
        *(
            open_ticket(acme.tickets, draft, conversation, actors[n % 2], channel="chat", zone=LJUBLJANA)
            for n in range(60)
        )
    )
    assert {found.ticket.number for found in opened} == {"T-26-000001"}
    assert [found.created for found in opened].count(True) == 1
    async with acme.db.read() as session:
        assert len((await session.exec(select(Ticket))).all()) == 1
        assert len((await session.exec(select(TicketConversation))).all()) == 1
    assert len(await cards(acme, conversation)) == 1
    await acme.another_visitor()
    assert (await acme.ticket()).number == "T-26-000002"


async def test_numbers_follow_one_another_without_a_gap(acme: Company) -> None:
    conversations = []
    for _ in range(12):
        conversations.append(await acme.conversation("The server does not answer"))
        await acme.another_visitor()
    opened = await asyncio.gather(*(acme.escalate(conversation) for conversation in conversations))
    assert sorted(found.ticket.number for found in opened) == [f"T-26-{n:06}" for n in range(1, 13)]


async def test_a_refused_ticket_burns_no_number_and_no_tie(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    draft = await acme.draft(conversation)
    unknown = replace(draft, department=replace(draft.department, value="nowhere"))
    with pytest.raises(NotPossible):
        await open_ticket(acme.tickets, unknown, conversation, acme.as_omar, channel="chat", zone=LJUBLJANA)
    empty = replace(draft, subject=replace(draft.subject, value="  "))
    with pytest.raises(TextEmpty):
        await open_ticket(acme.tickets, empty, conversation, acme.as_omar, channel="chat", zone=LJUBLJANA)
    assert (await acme.escalate(conversation)).ticket.number == "T-26-000001"


async def test_the_first_reply_keeps_the_promise_and_stands_in_the_conversation(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    acme.clock.advance(58)
    ticket = await acme.tickets.reply(
        ticket.id, acme.as_omar, "We look at it now.", version=ticket.version, ref="first-reply"
    )
    assert (ticket.due_at, ticket.operators_turn, ticket.state) == (None, False, "open")
    async with acme.db.read() as session:
        clock = (await session.exec(select(SlaClock).where(SlaClock.metric == FIRST_REPLY))).one()
    assert (clock.state, clock.elapsed_seconds, clock.breached_at) == ("met", 58, None)
    while await acme.tickets.outbox.work_once():
        pass
    assert (await said(acme, conversation))[-1] == "We look at it now."
    await acme.worker.sweep()
    assert await thread(acme, ticket) == [("message", "We look at it now.")]
    again = await current(acme, ticket)
    await acme.tickets.reply(ticket.id, acme.as_omar, "It works again.", version=again.version, ref="a-second-reply")
    assert (acme.tickets.first_reply_seconds.number, acme.tickets.first_reply_seconds.total) == (1, 58)
    assert len(await cards(acme, conversation)) == 2


async def test_a_reply_in_the_very_second_of_the_due_is_in_time(acme: Company) -> None:
    for seconds, breached in ((600, False), (601, True)):
        ticket = await acme.ticket()
        acme.clock.advance(seconds)
        await acme.tickets.reply(ticket.id, acme.as_omar, "Here", version=ticket.version, ref=uuid4().hex)
        async with acme.db.read() as session:
            clocks = select(SlaClock).where(SlaClock.subject_id == ticket.id, SlaClock.metric == FIRST_REPLY)
            clock = (await session.exec(clocks)).one()
        assert (clock.breached_at is not None) is breached
        await acme.another_visitor()


async def test_a_reply_sent_twice_is_one_reply(acme: Company) -> None:
    ticket = await acme.ticket()
    for _ in range(2):
        await acme.tickets.reply(ticket.id, acme.as_omar, "Once", version=ticket.version, ref="same-reply")
    assert await thread(acme, ticket) == [("message", "Once")]


async def test_a_note_stops_no_clock(acme: Company) -> None:
    ticket = await acme.ticket()
    await acme.tickets.note(ticket.id, acme.as_nina, "Looks like the switch", ref="a-note-1")
    assert (await current(acme, ticket)).due_at == ticket.due_at


async def test_what_ann_says_later_follows_into_the_ticket_once(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    await acme.says(conversation, "It is still down")
    await acme.worker.copy_heard()
    await acme.worker.sweep()
    await acme.tickets.copy_said(conversation)
    assert await thread(acme, ticket) == [("message", "It is still down")]


async def test_a_lost_hint_is_found_by_the_sweep(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    await acme.says(conversation, "Anybody?")
    acme.worker._said.clear()
    await acme.worker.sweep()
    assert await thread(acme, ticket) == [("message", "Anybody?")]


async def test_an_operators_word_in_the_conversation_is_the_first_reply(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    acme.clock.advance(30)
    await acme.conversations.say(conversation, acme_author(acme), "I am on it", uuid4().hex)
    await acme.worker.sweep()
    assert (await current(acme, ticket)).first_reply_at is not None
    assert await thread(acme, ticket) == [("message", "I am on it")]
    assert (acme.tickets.first_reply_seconds.number, acme.tickets.first_reply_seconds.total) == (1, 30)


async def test_copied_by_many_at_once_it_still_stands_there_once(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    for n in range(5):
        await acme.says(conversation, f"line {n}")
    await asyncio.gather(*(acme.tickets.copy_said(conversation) for _ in range(8)))
    assert await thread(acme, ticket) == [("message", f"line {n}") for n in range(5)]


async def test_ann_answers_on_her_page_and_the_conversation_has_it(acme: Company) -> None:
    conversation = await acme.conversation(PROBLEM)
    ticket = (await acme.escalate(conversation)).ticket
    await acme.tickets.answer(ticket.id, "It works again", ref="answer-0001")
    await acme.tickets.answer(ticket.id, "It works again", ref="answer-0001")
    while await acme.tickets.outbox.work_once():
        pass
    await acme.worker.sweep()
    assert (await said(acme, conversation))[-1] == "It works again"
    assert await thread(acme, ticket) == [("message", "It works again")]


async def test_an_action_on_an_older_state_is_refused(acme: Company) -> None:
    ticket = await acme.ticket()
    await acme.tickets.set_priority(ticket.id, acme.as_nina, HIGH, version=ticket.version)
    with pytest.raises(TicketMoved):
        await acme.tickets.reply(ticket.id, acme.as_omar, "Late", version=ticket.version, ref="late-reply")
    with pytest.raises(TicketMoved):
        await acme.tickets.change_state(ticket.id, acme.as_omar, State.SOLVED, version=ticket.version)
    assert await thread(acme, ticket) == []
    assert (await current(acme, ticket)).priority == HIGH


async def test_of_two_changes_at_once_one_is_refused(acme: Company) -> None:
    ticket = await acme.ticket()
    results = await asyncio.gather(
        acme.tickets.assign(ticket.id, acme.as_omar, acme.nina.id, version=ticket.version),
        acme.tickets.change_state(ticket.id, acme.as_nina, State.WAITING_CUSTOMER, version=ticket.version),
        return_exceptions=True,
    )
    assert [isinstance(result, TicketMoved) for result in results].count(True) == 1


async def test_a_message_brings_a_solved_ticket_back_and_a_closed_one_takes_none(acme: Company) -> None:
    ticket = await acme.ticket()
    ticket = await acme.tickets.reply(
        ticket.id, acme.as_omar, "Done", version=ticket.version, ref="done-0001", then=State.SOLVED
    )
    assert (ticket.state, ticket.open) == ("solved", False)
    ticket = await acme.tickets.answer(ticket.id, "No, it is not", ref="answer-0002")
    assert (ticket.state, ticket.operators_turn) == ("open", True)
    ticket = await acme.tickets.change_state(ticket.id, acme.as_omar, State.CLOSED, version=ticket.version)
    with pytest.raises(TicketClosed):
        await acme.tickets.answer(ticket.id, "Hello?", ref="answer-0003")
    with pytest.raises(NotPossible):
        await acme.tickets.change_state(ticket.id, acme.as_omar, State.OPEN, version=ticket.version)


async def test_assignments_are_records_with_a_start_and_an_end(acme: Company) -> None:
    ticket = await acme.ticket()
    ticket = await acme.tickets.assign(ticket.id, acme.as_omar, acme.nina.id, version=ticket.version)
    ticket = await acme.tickets.assign(ticket.id, acme.as_nina, None, version=ticket.version)
    async with acme.db.read() as session:
        found = (await session.exec(select(TicketAssignment).order_by(col(TicketAssignment.id)))).all()
    assert [assignment.operator_id for assignment in found] == [acme.omar.id, acme.nina.id]
    assert all(assignment.ended_at for assignment in found)
    with pytest.raises(NotPossible):
        await acme.tickets.assign(ticket.id, acme.as_omar, uuid4(), version=ticket.version)


async def test_a_department_can_change_and_an_unknown_one_cannot(acme: Company) -> None:
    ticket = await acme.ticket()
    version = ticket.version
    moved = await transfer(acme.tickets, ticket.id, acme.as_omar, "financial", "Yours", version=version, ref="move-001")
    assert moved.department_id != ticket.department_id or moved is not ticket
    with pytest.raises(NotPossible):
        await transfer(acme.tickets, ticket.id, acme.as_omar, "nowhere", "?", version=moved.version, ref="move-002")


async def test_a_note_is_on_no_way_to_the_requester(acme: Company) -> None:
    planted = "zimzelen-4711"
    conversation = await acme.conversation(PROBLEM)
    await acme.conversations.note(conversation, acme_author(acme), f"before {planted}", uuid4().hex)
    ticket = (await acme.escalate(conversation)).ticket
    await acme.tickets.note(ticket.id, acme.as_omar, f"after {planted}", ref="note-0001")
    link_id = await link_of(acme, ticket)
    async with acme.db.read() as session:
        seen = await requesters_ticket(session, link_id, acme.clock.now())
        operators = await store.operators_ticket(session, ticket.number, await acme.reader())
    assert seen is not None
    assert planted not in repr(seen)
    assert "Firefox" not in repr(seen)
    assert operators is not None
    assert operators.transcripts
    assert planted in json.dumps(operators.transcripts[conversation].operators_body)
    assert f"after {planted}" in [message.text for message in operators.messages]
    assert all(planted not in json.dumps(card.data) for card in await cards(acme, conversation))
    assert planted not in "".join(await said(acme, conversation))


async def test_a_link_ends_by_time_and_by_hand(acme: Company) -> None:
    ticket = await acme.ticket()
    link_id = await link_of(acme, ticket)
    async with acme.db.read() as session:
        later = acme.clock.now() + timedelta(days=30)
        assert await requesters_ticket(session, link_id, later - timedelta(seconds=1)) is not None
        assert await requesters_ticket(session, link_id, later) is None
        assert await requesters_ticket(session, uuid4(), acme.clock.now()) is None
    await acme.tickets.revoke_links(ticket.id, acme.as_omar, version=ticket.version)
    async with acme.db.read() as session:
        assert await requesters_ticket(session, link_id, acme.clock.now()) is None
    assert await link_of(acme, ticket) != link_id


async def test_a_message_left_becomes_a_ticket_once(acme: Company) -> None:
    left = await acme.conversations.leave(
        acme.visitor, Opening(uuid4().hex, "Please call me about the invoice", email="ann@example.com"), None
    )
    while await acme.tickets.outbox.work_once():
        pass
    await acme.worker.open_for_left({"conversation_id": str(left.id)})  # as an older program owes it
    async with acme.db.read() as session:
        ticket = (await session.exec(select(Ticket))).one()
    assert (ticket.subject, ticket.state, ticket.contact_channel, ticket.operator_id) == (
        "Please call me about the invoice", "new", "form", None
    )  # fmt: skip
    assert (ticket.requester_email, ticket.verify_level) == ("ann@example.com", 0)
    assert len(await cards(acme, left.id)) == 1


@pytest.mark.parametrize(("text", "error"), [("  \n", TextEmpty), ("x" * 10_001, TextTooLong)])
async def test_an_empty_or_endless_text_changes_nothing(acme: Company, text: str, error: type[Exception]) -> None:
    ticket = await acme.ticket()
    with pytest.raises(error):
        await acme.tickets.answer(ticket.id, text, ref="answer-0004")
    with pytest.raises(error):
        await acme.tickets.note(ticket.id, acme.as_omar, text, ref="note-0004")
    assert (await current(acme, ticket)).version == ticket.version
    async with acme.db.read() as session:
        assert [m.kind for m in await session.exec(select(TicketMessage))] == ["transcript"]


async def test_the_queue_pages_without_double_or_gap(acme: Company) -> None:
    numbers = []
    for n in range(7):
        ticket = await acme.ticket()
        if n % 3 == 0:
            await acme.tickets.set_priority(ticket.id, acme.as_omar, HIGH, version=ticket.version)
        if n % 2:
            fresh = await current(acme, ticket)
            await acme.tickets.reply(ticket.id, acme.as_omar, "Hi", version=fresh.version, ref=uuid4().hex)
        numbers.append(ticket.number)
        acme.clock.advance(1)
        await acme.another_visitor()
    reader, after = await acme.reader(), ""
    seen: list[str] = []
    while True:
        async with acme.db.read() as session:
            page = await queue_of(session, reader, store.Wanted(), after=after, limit=2)
        if not page:
            break
        seen += [row.ticket.number for row in page]
        after = page[-1].ticket.place
    assert sorted(seen) == numbers
    assert [number[-1] for number in seen] == ["1", "7", "3", "5", "4", "2", "6"]


async def test_lanes_hold_what_they_say(acme: Company) -> None:
    mine = await acme.ticket()
    await acme.another_visitor()
    solved = (await acme.escalate(await acme.conversation("Another one is slow"), Actor("requester", "Ann"))).ticket
    await acme.tickets.solve(solved.id)
    reader = await acme.reader()
    async with acme.db.read() as session:
        assert await counts(session, reader) == {"open": 1, "mine": 1}
        found = {
            lane: [row.ticket.number for row in await queue_of(session, reader, store.Wanted(lane=lane))]
            for lane in LANES
        }
        own = await queue_of(session, reader, store.Wanted(mine=True))
    assert found == {"open": [mine.number], "solved": [solved.number], "closed": [], "spam": []}
    assert [row.ticket.number for row in own] == [mine.number]


def standing_of(ticket: Ticket) -> tuple[bool, int, datetime, datetime, str]:
    return (
        not ticket.operators_turn, ticket.priority, ticket.due_at or FAR, ticket.waiting_since or FAR, ticket.id.hex
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_database_orders_the_queue_as_the_key_does(acme: Company, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 — a repeatable shuffle
    first = await acme.ticket()
    now = acme.clock.now()
    rows = [
        Ticket(
            id=new_id(),
            number=f"T-25-{n:06}",
            department_id=first.department_id,
            state="open",
            contact_channel="chat",
            subject="Something",
            environment={},
            created_at=now,
            changed_at=now,
            priority=chance.choice([HIGH, NORMAL]),
            operators_turn=chance.random() < 0.5,
            due_at=chance.choice([None, now + timedelta(microseconds=chance.randrange(5))]),
            waiting_since=chance.choice([None, now - timedelta(seconds=chance.randrange(3))]),
        )
        for n in range(40)
    ]
    async with acme.db.write() as session:
        session.add_all(rows)
    reader, after = await acme.reader(), ""
    seen: list[Ticket] = []
    while True:
        async with acme.db.read() as session:
            page = await queue_of(session, reader, store.Wanted(), after=after, limit=7)
        if not page:
            break
        seen += [row.ticket for row in page]
        after = page[-1].ticket.place
    expected = sorted([*rows, await current(acme, first)], key=standing_of)
    assert [ticket.number for ticket in seen] == [ticket.number for ticket in expected]
    ours = [ticket.priority for ticket in seen if ticket.operators_turn]
    assert ours == sorted(ours)
