"""The clocks of conversations on both databases: first and next reply, their steps, and who is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.conversations.entry import Author
from chat.conversations.models import INTERNAL, Message
from chat.db import Database
from chat.public import Department, Operator
from escalation.models import SlaClock, SlaEvent, SlaSeen, Ticket, TicketEvent
from escalation.sla.alerts import NoSuchAlarm, acknowledge, alerts_for
from escalation.sla.engine import Applied, SlaEngine
from escalation.sla.policies import current_policies, publish
from tests.support.clock import FakeClock
from tests.support.tickets import Company, company


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        async with db.write() as session:
            for operator in (found.omar, found.nina):
                (await session.get_one(Operator, operator.id)).present = True
        yield found


async def look(acme: Company, seconds: float = 0) -> None:
    """As a worker does: every five seconds."""
    while seconds > 5:
        acme.clock.advance(5)
        await acme.worker.engine.talks.round()
        seconds -= 5
    acme.clock.advance(seconds)
    await acme.worker.engine.talks.round()


async def answer(acme: Company, talk: UUID, operator: Operator | None = None) -> None:
    one = operator or acme.omar
    await acme.pairing.take(talk, one)
    await acme.conversations.say(talk, Author("operator", one.id, one.name), "I look at it", uuid4().hex)


async def clocks(acme: Company, talk: UUID) -> list[SlaClock]:
    async with acme.db.read() as session:
        query = select(SlaClock).where(SlaClock.subject_kind == "conversation", SlaClock.subject_id == talk)
        return list(await session.exec(query.order_by(col(SlaClock.id))))


async def only(acme: Company, talk: UUID) -> SlaClock:
    [clock] = await clocks(acme, talk)
    return clock


async def events(acme: Company, talk: UUID) -> list[tuple[str, int]]:
    async with acme.db.read() as session:
        query = (
            select(SlaEvent.type, SlaEvent.n)
            .join(SlaClock, col(SlaClock.id) == col(SlaEvent.clock_id))
            .where(SlaClock.subject_id == talk)
        )
        return list(await session.exec(query.order_by(col(SlaEvent.at), col(SlaEvent.id))))


async def remarks(acme: Company, talk: UUID) -> list[str]:
    async with acme.db.read() as session:
        query = select(Message.text).where(Message.conversation_id == talk, Message.stream == INTERNAL)
        return list(await session.exec(query.order_by(col(Message.seq))))


async def alerts(acme: Company, operator: Operator) -> list[tuple[str, str]]:
    async with acme.db.read() as session:
        fresh = await session.get_one(Operator, operator.id)
        found = await alerts_for(session, fresh, acme.clock.now())
    return [(alert.number or alert.name, alert.step) for alert in found]


async def make_supervisor(acme: Company, operator: Operator) -> None:
    async with acme.db.write() as session:
        (await session.get_one(Operator, operator.id)).role = "supervisor"


# ── the clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_at_once_needs_no_clock(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 25)
    await answer(acme, talk)
    await look(acme, 120)
    assert await clocks(acme, talk) == []


async def test_the_first_reply_counts_from_the_first_word(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    began = acme.clock.now()
    await look(acme, 45)
    await acme.says(talk, "Hello?")
    await look(acme, 45)
    await answer(acme, talk)
    await look(acme)
    clock = await only(acme, talk)
    assert (clock.metric, clock.state, clock.started_at) == ("first_reply", "met", began)
    assert (clock.elapsed_seconds, clock.target_seconds, clock.breached_at) == (90, 60, None)


async def test_each_turn_has_a_clock_of_its_own(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await answer(acme, talk)
    for _ in range(2):
        acme.clock.advance(300)
        await acme.says(talk, "And now?")
        asked = acme.clock.now()
        acme.clock.advance(10)
        await acme.says(talk, "Are you there?")
        await look(acme, 50)
        await answer(acme, talk)
        await look(acme)
        clock = (await clocks(acme, talk))[-1]
        assert (clock.metric, clock.state, clock.started_at) == ("next_reply", "met", asked)
    assert [clock.instance for clock in await clocks(acme, talk)] == [1, 2]


async def test_who_was_answered_last_waits_for_nobody(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await answer(acme, talk)
    await acme.pairing.transfer(
        talk, acme.omar, "Please take it", operator_id=None, department="technical", ref="a-transfer"
    )
    await look(acme, 900)
    assert await clocks(acme, talk) == []


async def test_a_ticket_takes_the_promise_over(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 90)
    assert (await only(acme, talk)).state == "running"
    await acme.escalate(talk)
    await look(acme, 900)
    assert (await only(acme, talk)).state == "cancelled"
    assert await events(acme, talk) == []


@pytest.mark.parametrize("by", ["visitor", "operator"])
async def test_nobody_waits_where_it_has_ended(acme: Company, by: str) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 90)
    await acme.pairing.end(talk, Author(by, acme.omar.id, "somebody"))
    await look(acme, 600)
    assert (await only(acme, talk)).state == "cancelled"
    await acme.says(talk, "One more thing")
    asked = acme.clock.now()
    await look(acme, 60)
    assert (await clocks(acme, talk))[-1].started_at == asked


async def test_the_steps_at_5_8_9_and_10_minutes(acme: Company) -> None:
    await make_supervisor(acme, acme.nina)
    talk = await acme.conversation("It is down")
    await acme.pairing.take(talk, acme.omar)
    seen = []
    for seconds in (299, 1, 179, 1, 59, 1, 60, 1):
        await look(acme, seconds)
        seen.append([n for kind, n in await events(acme, talk) if kind == "alarm"])
    assert seen == [[], [300], [300], [300, 480], [300, 480], [300, 480, 540], [300, 480, 540], [300, 480, 540]]
    assert (await events(acme, talk))[-1] == ("breached", 1)
    assert await remarks(acme, talk) == [
        "5:00 without a reply: Omar alerted again, the conversation is theirs",
        "8:00 without a reply: offered to Nina, the least loaded of 1",
        "9:00 without a reply: supervisors alerted: Nina",
        "Breached: no first reply by the time promised. Omar had it.",
    ]


async def test_a_reply_in_the_very_second_is_no_breach_even_seen_late(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 590)
    acme.clock.advance(10)
    await answer(acme, talk)
    acme.clock.advance(30)
    await look(acme)
    clock = await only(acme, talk)
    assert (clock.state, clock.elapsed_seconds, clock.breached_at) == ("met", 600, None)


async def test_many_workers_carry_out_each_step_once(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 60)
    acme.clock.advance(600)
    engines = [SlaEngine(acme.tickets) for _ in range(5)]
    await asyncio.gather(*(engine.talks.round() for engine in engines))
    await look(acme)
    assert await events(acme, talk) == [("alarm", 300), ("alarm", 480), ("alarm", 540), ("breached", 1)]
    assert len(await remarks(acme, talk)) == 4


async def test_a_worker_that_dies_in_a_step_leaves_it_to_the_next(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 60)
    acme.clock.advance(300)

    class Dies(Exception):
        pass

    async def die(*_: object) -> None:
        raise Dies

    dying = SlaEngine(acme.tickets)
    dying.talks._remark = die  # type: ignore[method-assign, assignment]
    await dying.talks.round()
    assert await events(acme, talk) == []
    await look(acme)
    assert await events(acme, talk) == [("alarm", 300)]


async def test_one_that_cannot_be_looked_at_stops_no_others_clock(acme: Company) -> None:
    bad = await acme.conversation("It is down")
    await acme.another_visitor()
    good = await acme.conversation("So is mine")
    talks = acme.worker.engine.talks
    start = talks._start

    async def fails(conversation_id: UUID, *rest: Any) -> bool:
        if conversation_id == bad:
            raise ValueError
        return await start(conversation_id, *rest)

    talks._start = fails  # type: ignore[method-assign, assignment]
    await look(acme, 310)
    assert (len(await clocks(acme, bad)), len(await clocks(acme, good))) == (0, 1)


async def test_a_changed_policy_moves_running_clocks(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 60)
    async with acme.db.write() as session:
        chat = next(policy for policy in await current_policies(session) if policy.key == "chat")
        first = replace(chat.targets["first_reply"], target_seconds=120, breach_seconds=120, alarms=())
        await publish(session, replace(chat, targets={"first_reply": first}), acme.clock.now())
    assert await acme.worker.engine.apply() == Applied(1, more=False)
    assert await acme.worker.engine.apply() == Applied(0, more=False)
    clock = await only(acme, talk)
    assert clock.due_at == clock.started_at + timedelta(seconds=120)
    assert (await events(acme, talk), clock.policy_version) == ([("applied", 1)], 2)
    # No later promise keeps one that was broken.
    await look(acme, 61)
    async with acme.db.write() as session:
        longer = replace(first, target_seconds=1200, breach_seconds=1200)
        await publish(session, replace(chat, targets={"first_reply": longer}), acme.clock.now())
    assert await acme.worker.engine.apply() == Applied(0, more=False)
    clock = await only(acme, talk)
    assert clock.due_at == clock.breached_at == clock.started_at + timedelta(seconds=120)


# ── who is told ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_alarms_of_conversations_and_tickets_stand_together(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await look(acme, 60)
    await acme.another_visitor()
    ticket = await acme.ticket("And this")
    acme.clock.advance(300)
    await acme.worker.engine.round()
    await look(acme)
    assert await alerts(acme, acme.omar) == [("Ann", "assigned"), (ticket.number, "assigned")]
    assert await alerts(acme, acme.nina) == [("Ann", "assigned")], "the ticket is Omar's"
    await answer(acme, talk)
    await look(acme)
    assert await alerts(acme, acme.omar) == [(ticket.number, "assigned")]


async def test_an_alarm_is_acknowledged_once_and_the_next_step_rings_again(acme: Company) -> None:
    await make_supervisor(acme, acme.nina)
    talk = await acme.conversation("It is down")
    await acme.pairing.take(talk, acme.omar)
    await look(acme, 300)

    async def see() -> bool:
        async with acme.db.write() as session:
            omar = await session.get_one(Operator, acme.omar.id)
            [shown] = await alerts_for(session, omar, acme.clock.now(), seen=True)
            return await acknowledge(session, omar, shown.event_id, acme.clock.now()) is not None

    assert sorted(await asyncio.gather(see(), see(), see())) == [False, False, True]
    assert await alerts(acme, acme.omar) == []
    async with acme.db.read() as session:
        assert len((await session.exec(select(SlaSeen))).all()) == 1
    await look(acme, 301)
    assert await alerts(acme, acme.omar) == [("Ann", "breached")]


async def test_the_sixth_alarm_is_acknowledged_too(acme: Company) -> None:
    for n in range(6):
        await acme.ticket(f"Trouble {n}")
        await acme.another_visitor()
    acme.clock.advance(300)
    await acme.worker.engine.round()
    for _ in range(6):
        async with acme.db.write() as session:
            [shown, *_] = await alerts_for(session, acme.omar, acme.clock.now())
            assert await acknowledge(session, acme.omar, shown.event_id, acme.clock.now()) is not None
    assert await alerts(acme, acme.omar) == []


async def test_alarms_of_others_leave_room_for_ones_own(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escalation.sla.alerts.LOOKS", (2,))
    for n in range(3):
        ticket = await acme.ticket(f"Trouble {n}")
        async with acme.db.write() as session:
            row = await session.get_one(Ticket, ticket.id)
            row.operator_id = None
            row.department_id = (await session.exec(select(Department.id).where(Department.slug == "financial"))).one()
        await acme.another_visitor()
    own = await acme.ticket()
    acme.clock.advance(300)
    await acme.worker.engine.round()
    assert await alerts(acme, acme.omar) == [(own.number, "assigned")]


async def test_nobody_acknowledges_what_is_not_shown_to_them(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await acme.pairing.take(talk, acme.omar)
    await look(acme, 300)
    async with acme.db.read() as session:
        [event_id] = await session.exec(select(SlaEvent.id))
    async with acme.db.write() as session:
        nina = await session.get_one(Operator, acme.nina.id)
        for unknown in (event_id, uuid4()):
            with pytest.raises(NoSuchAlarm):
                await acknowledge(session, nina, unknown, acme.clock.now())


async def test_a_conversation_answered_too_late_asks_for_the_reason_until_it_is_said(acme: Company) -> None:
    talk = await acme.conversation("It is down")
    await acme.pairing.take(talk, acme.omar)
    await look(acme, 700)
    await answer(acme, talk)
    await look(acme)
    assert await alerts(acme, acme.omar) == [("Ann", "explain")]
    clock = await only(acme, talk)
    for _ in range(2):
        await acme.worker.engine.talks.explain(clock.id, acme.omar, "I was on the telephone")
    assert (await remarks(acme, talk))[-1] == "Omar: Why it was late: I was on the telephone"
    assert len(await remarks(acme, talk)) == 5
    assert await alerts(acme, acme.omar) == []


async def test_a_breach_says_how_it_stood(acme: Company) -> None:
    ticket: Ticket = await acme.ticket("Nobody is here")
    await acme.tickets.assign(ticket.id, acme.as_omar, None, version=ticket.version)
    async with acme.db.write() as session:
        for operator in (acme.omar, acme.nina):
            (await session.get_one(Operator, operator.id)).present = False
    acme.clock.advance(601)
    await acme.worker.engine.round()
    async with acme.db.read() as session:
        query = select(TicketEvent).where(TicketEvent.ticket_id == ticket.id, TicketEvent.type == "breached")
        [event] = await session.exec(query)
    assert event.data["cause"] == {"code": "nobody_here", "number": 2}
