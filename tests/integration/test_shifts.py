"""The roster on both databases: who is off duty is offered nothing and alerted to nothing, and what they have is
handed over with a brief."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.console.colleagues import colleagues
from chat.conversations.entry import Author
from chat.conversations.models import INTERNAL, Conversation, Message
from chat.db import Database
from chat.pairing.models import Assignment
from chat.protocol.errors import AtCapacity
from chat.public import Operator, is_online
from escalation.desk.timeline import event_text
from escalation.errors import OperatorAbsent
from escalation.models import Ticket, TicketEvent, TicketMessage
from escalation.shifts.keeper import ShiftKeeper
from escalation.sla.alerts import alerts_for
from escalation.sla.crew import least_loaded, supervisors
from escalation.states import State
from tests.support.clock import FakeClock
from tests.support.rosters import add_absence, add_shift
from tests.support.tickets import LJUBLJANA, Company, company

NOON = datetime(2026, 6, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        for operator in (found.omar, found.nina):
            await change(found, operator, present=True)
        yield found


async def change(acme: Company, operator: Operator, **values: object) -> None:
    async with acme.db.write() as session:
        found = await session.get_one(Operator, operator.id)
        for name, value in values.items():
            setattr(found, name, value)


async def fresh(acme: Company, operator: Operator) -> Operator:
    async with acme.db.read() as session:
        return await session.get_one(Operator, operator.id)


async def on_the_roster(acme: Company, *, until: int = 14) -> None:
    """Omar works until 14, Nina from 13 to 22: they overlap."""
    await add_shift(acme.db, acme.clock, "Day", 6, until, acme.omar)
    await add_shift(acme.db, acme.clock, "Evening", 13, 22, acme.nina)
    await acme.shifts.renew([acme.omar.id, acme.nina.id])


async def online(acme: Company) -> set[str]:
    async with acme.db.read() as session:
        return set(await session.exec(select(Operator.name).where(is_online(acme.clock.now()))))


async def conversation(acme: Company, conversation_id: UUID) -> Conversation:
    async with acme.db.read() as session:
        return await session.get_one(Conversation, conversation_id)


async def with_omar(acme: Company, *texts: str) -> UUID:
    """Omar has this conversation, and has answered."""
    found = await acme.conversation(*(texts or ("It is down",)))
    await acme.pairing.take(found, await fresh(acme, acme.omar))
    await acme.conversations.say(found, Author("operator", acme.omar.id, "Omar"), "I look at it", uuid4().hex)
    return found


async def omars_ticket(acme: Company) -> Ticket:
    ticket = await acme.ticket("The server does not answer")
    return await acme.tickets.assign(ticket.id, acme.as_omar, acme.omar.id, version=ticket.version)


async def current(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def lines(acme: Company, ticket: Ticket, kind: str) -> list[str]:
    c = acme.strings.catalogue("en")
    query = select(TicketEvent).where(TicketEvent.ticket_id == ticket.id, TicketEvent.type == kind)
    async with acme.db.read() as session:
        found = await session.exec(query.order_by(col(TicketEvent.seq)))
        return [event_text(event, {}, c, LJUBLJANA) for event in found]


async def notes(acme: Company, ticket: Ticket) -> list[TicketMessage]:
    query = select(TicketMessage).where(TicketMessage.ticket_id == ticket.id, TicketMessage.kind == "note")
    async with acme.db.read() as session:
        return list(await session.exec(query))


# ── who is offered what ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_duty_decides_who_is_online(acme: Company) -> None:
    assert await online(acme) == {"Omar", "Nina"}
    await on_the_roster(acme)
    seen = {}
    for hour in (12, 13, 14):
        acme.clock.set(NOON.replace(hour=hour))
        await acme.shifts.round()
        seen[hour] = await online(acme)
    assert seen == {12: {"Omar"}, 13: {"Omar", "Nina"}, 14: {"Nina"}}


async def test_the_end_of_a_shift_holds_without_anybody_looking(acme: Company) -> None:
    await on_the_roster(acme)
    await change(acme, acme.nina, present=False)
    waiting = await acme.conversation("Hello?")
    acme.clock.set(NOON.replace(hour=14))
    assert not await acme.pairing.offer_next()
    assert (await conversation(acme, waiting)).state == "waiting"
    acme.clock.set(NOON.replace(hour=14) - timedelta(microseconds=1))
    assert await acme.pairing.offer_next()
    assert (await conversation(acme, waiting)).operator_id == acme.omar.id


async def test_nobody_is_offered_anything_while_away(acme: Company) -> None:
    await add_absence(acme.db, acme.omar, NOON, NOON + timedelta(hours=2))
    await add_absence(acme.db, acme.nina, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    await acme.shifts.renew([acme.omar.id, acme.nina.id])
    found = await acme.conversation("Hello?")
    assert not await acme.pairing.offer_next()
    with pytest.raises(AtCapacity):
        await acme.pairing.transfer(
            found, await fresh(acme, acme.nina), "For you", operator_id=acme.omar.id, department=None, ref="a-transfer"
        )
    acme.clock.advance(3600)
    await acme.shifts.round()
    assert await acme.pairing.offer_next()
    assert (await conversation(acme, found)).operator_id == acme.nina.id


async def test_a_ticket_is_offered_to_nobody_off_duty_or_full_of_tickets(acme: Company) -> None:
    ticket = await omars_ticket(acme)
    async with acme.db.read() as session:
        pick = await least_loaded(session, ticket, NOON)
    assert pick is not None
    assert pick.operator.id == acme.nina.id
    await change(acme, acme.nina, ticket_capacity=0)
    async with acme.db.read() as session:
        assert await least_loaded(session, ticket, NOON) is None
    await change(acme, acme.nina, ticket_capacity=20, role="supervisor")
    await change(acme, acme.omar, role="supervisor")
    await on_the_roster(acme)
    async with acme.db.read() as session:
        assert await least_loaded(session, ticket, NOON) is None
        assert await supervisors(session, NOON) == ["Omar"]


async def test_nobody_is_alerted_off_duty_but_to_what_is_theirs(acme: Company) -> None:
    await on_the_roster(acme)
    await acme.ticket("Nobody has taken this")
    acme.clock.advance(5 * 60)
    await acme.worker.engine.round()
    seen = {}
    for operator in (acme.omar, acme.nina):
        async with acme.db.read() as session:
            seen[operator.name] = len(await alerts_for(session, await fresh(acme, operator), acme.clock.now()))
    assert seen == {"Omar": 1, "Nina": 0}


async def test_the_department_is_alerted_when_who_has_the_ticket_is_off_duty(acme: Company) -> None:
    ticket = await omars_ticket(acme)
    await add_absence(acme.db, acme.omar, NOON + timedelta(minutes=4), NOON + timedelta(hours=9))
    await acme.shifts.renew([acme.omar.id])
    acme.clock.advance(5 * 60)
    await acme.worker.engine.round()
    expected = ["5:00 without a reply: Omar is off duty, the department alerted"]
    assert await lines(acme, ticket, "alarm") == expected
    async with acme.db.read() as session:
        [alert] = await alerts_for(session, await fresh(acme, acme.nina), acme.clock.now())
    assert alert.number == ticket.number


# ── the end of a shift ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_ticket_goes_to_the_least_loaded_on_shift_with_a_brief(acme: Company) -> None:
    await on_the_roster(acme)
    ticket = await omars_ticket(acme)
    await acme.tickets.note(ticket.id, acme.as_omar, "The switch was changed", ref="a-note-1")
    acme.clock.set(NOON.replace(hour=14))
    assert await acme.shifts.round() == 1
    assert (await current(acme, ticket)).operator_id == acme.nina.id
    assert await lines(acme, ticket, "handed_over") == ["Omar is off duty: handed over to Nina, the least loaded of 1"]
    brief = (await notes(acme, ticket))[-1]
    assert brief.author_name == "Nightdesk"
    assert brief.text.splitlines() == [
        "Hand-over: Omar is off duty since 16:00.",
        "Now with Nina, the least loaded of 1 on shift.",
        "Normal priority. State: In progress.",
        "Reply due 14:10.",
        "Last note, Omar at 14:00: “The switch was changed”",
    ]
    assert await acme.shifts.round() == 0


async def test_without_anybody_on_shift_a_ticket_waits_and_says_why(acme: Company) -> None:
    await on_the_roster(acme)
    await change(acme, acme.nina, status="away")
    ticket = await omars_ticket(acme)
    acme.clock.set(NOON.replace(hour=14))
    await acme.shifts.round()
    assert (await current(acme, ticket)).operator_id is None
    assert await lines(acme, ticket, "handed_over") == [
        "Omar is off duty and nobody on shift has room: waits for the department"
    ]


async def test_what_is_solved_or_taken_after_the_end_stays(acme: Company) -> None:
    await on_the_roster(acme)
    solved = await omars_ticket(acme)
    await acme.tickets.reply(solved.id, acme.as_omar, "Done", version=solved.version, ref="a-reply-1", then=None)
    version = (await current(acme, solved)).version
    await acme.tickets.change_state(solved.id, acme.as_omar, State.SOLVED, version=version)
    acme.clock.set(NOON.replace(hour=14))
    await acme.shifts.round()
    acme.clock.advance(60)
    await acme.another_visitor()
    overtime = await omars_ticket(acme)
    await acme.another_visitor()
    talk = await with_omar(acme, "Are you still there?")
    acme.clock.advance(3600)
    assert await acme.shifts.round() == 0
    for ticket in (solved, overtime):
        assert (await current(acme, ticket)).operator_id in (acme.omar.id, None)
    assert (await current(acme, overtime)).operator_id == acme.omar.id
    assert (await conversation(acme, talk)).operator_id == acme.omar.id
    await change(acme, acme.omar, present=False)
    assert await acme.shifts.round() == 1
    assert (await current(acme, overtime)).operator_id == acme.nina.id, "who has left has nothing"


async def test_a_conversation_waits_at_the_head_of_its_queue_with_a_brief(acme: Company) -> None:
    await on_the_roster(acme)
    talk = await with_omar(acme, "It is down", "And the mail too")
    await acme.another_visitor()
    await acme.conversation("I came before the end")
    acme.clock.set(NOON.replace(hour=14))
    assert await acme.shifts.round() == 1
    found = await conversation(acme, talk)
    assert (found.state, found.operator_id) == ("waiting", None)
    query = select(Message).where(Message.conversation_id == talk, Message.stream == INTERNAL)
    async with acme.db.read() as session:
        [note] = await session.exec(query)
        ended = await session.exec(select(Assignment).where(Assignment.conversation_id == talk))
        assert [assignment.ended_because for assignment in ended] == ["handed-over"]
    assert note.text.splitlines() == [
        "Hand-over: Omar is off duty since 16:00.",
        "It waits at the head of the queue for who is on shift.",
        "The visitor was answered last.",
        "Last words of the other side at 14:00: “And the mail too”",
        "Last reply, Omar at 14:00: “I look at it”",
    ]
    assert (await fresh(acme, acme.omar)).load == 0
    assert await acme.pairing.offer_next()
    assert (await conversation(acme, talk)).operator_id == acme.nina.id


async def test_a_talk_under_way_may_be_finished_but_not_for_ever(acme: Company) -> None:
    await on_the_roster(acme)
    talk = await with_omar(acme)
    acme.clock.set(NOON.replace(hour=13, minute=59))
    await acme.says(talk, "It came back")
    acme.clock.set(NOON.replace(hour=14))
    assert await acme.shifts.round() == 0
    for _ in range(29):
        acme.clock.advance(60)
        await acme.says(talk, "and then")
        assert await acme.shifts.round() == 0
    acme.clock.advance(60)
    assert await acme.shifts.round() == 1


async def test_who_has_gone_home_keeps_no_talk(acme: Company) -> None:
    await on_the_roster(acme)
    acme.clock.set(NOON.replace(hour=13, minute=59))
    await with_omar(acme)
    await change(acme, acme.omar, present=False)
    acme.clock.set(NOON.replace(hour=14))
    assert await acme.shifts.round() == 1


async def test_who_is_ill_from_now_on_hands_over_at_once(acme: Company) -> None:
    ticket = await omars_ticket(acme)
    acme.clock.advance(60)
    await add_absence(acme.db, acme.omar, NOON - timedelta(hours=3), NOON + timedelta(hours=9))
    await acme.shifts.renew([acme.omar.id])
    assert await acme.shifts.round() == 1
    assert (await current(acme, ticket)).operator_id == acme.nina.id


async def test_many_keepers_hand_over_once(acme: Company) -> None:
    await on_the_roster(acme)
    tickets = [await omars_ticket(acme)]
    for _ in range(4):
        await acme.another_visitor()
        tickets.append(await omars_ticket(acme))
    await acme.another_visitor()
    talk = await with_omar(acme)
    acme.clock.set(NOON.replace(hour=14))
    keepers = [ShiftKeeper(acme.tickets, acme.duties, LJUBLJANA) for _ in range(4)]
    await asyncio.gather(*(keeper.round() for keeper in keepers))
    await acme.shifts.round()
    for ticket in tickets:
        assert (await current(acme, ticket)).operator_id == acme.nina.id
        assert len(await lines(acme, ticket, "handed_over")) == 1
        assert len(await notes(acme, ticket)) == 1
    async with acme.db.read() as session:
        briefs = await session.exec(select(Message).where(Message.conversation_id == talk, Message.stream == INTERNAL))
        assert len(briefs.all()) == 1
    assert (await fresh(acme, acme.omar)).load == 0


async def test_many_keepers_fill_nobody_beyond_their_tickets(acme: Company) -> None:
    await on_the_roster(acme)
    tickets = [await omars_ticket(acme)]
    for _ in range(4):
        await acme.another_visitor()
        tickets.append(await omars_ticket(acme))
    await change(acme, acme.nina, ticket_capacity=2)
    acme.clock.set(NOON.replace(hour=14))
    keepers = [ShiftKeeper(acme.tickets, acme.duties, LJUBLJANA) for _ in range(4)]
    await asyncio.gather(*(keeper.round() for keeper in keepers))
    holders = [(await current(acme, ticket)).operator_id for ticket in tickets]
    assert sorted(holders, key=str) == sorted([acme.nina.id] * 2 + [None] * 3, key=str)


async def test_a_colleague_hands_nothing_to_who_is_absent(acme: Company) -> None:
    ticket = await acme.ticket("The server does not answer")
    await on_the_roster(acme)
    with pytest.raises(OperatorAbsent):
        await acme.tickets.assign(ticket.id, acme.as_omar, acme.nina.id, version=ticket.version)
    taken = await acme.tickets.assign(ticket.id, acme.as_nina, acme.nina.id, version=ticket.version)
    assert taken.operator_id == acme.nina.id, "what people take by themselves is theirs"
    async with acme.db.read() as session:
        shown = {one.name: one.on_duty for one in await colleagues(session, "en", acme.clock.now())}
    assert shown == {"Omar": True, "Nina": False}, "who hands over a conversation sees it before"


async def test_who_is_no_operator_any_more_has_no_tickets(acme: Company) -> None:
    ticket = await omars_ticket(acme)
    await change(acme, acme.omar, active=False)
    assert await acme.shifts.round() == 1
    assert (await current(acme, ticket)).operator_id == acme.nina.id
    assert await acme.shifts.round() == 0
