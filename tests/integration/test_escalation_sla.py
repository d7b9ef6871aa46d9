"""The clocks of tickets: each rule by its number, and the engine that carries out what runs out, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.db import Database
from chat.public import Operator
from escalation.change import SYSTEM, Actor
from escalation.customers.models import Account
from escalation.desk.timeline import event_text
from escalation.errors import NotPossible
from escalation.models import SlaClock, SlaEvent, Ticket, TicketEvent
from escalation.opening import open_ticket
from escalation.requesters_store import requesters_ticket
from escalation.sla import engine
from escalation.sla.alerts import alerts_for
from escalation.sla.clocks import fitting_policy, take_over
from escalation.sla.engine import Applied, SlaEngine
from escalation.sla.measured import MAIL_CHANNELS, TICKET_CHANNELS, measure_tickets
from escalation.sla.policies import Alarm, Policy, current_policies, policies_in, publish
from escalation.sla.policy_tables import CalendarRow, SlaPolicy, SlaTarget
from escalation.states import HIGH, NORMAL, State
from escalation.ticket_links import link_for
from escalation.transfers import transfer
from tests.support.clock import FakeClock
from tests.support.tickets import LJUBLJANA, Company, company

MINUTE = 60


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def current(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def clocks(acme: Company, ticket: Ticket, metric: str = "") -> list[SlaClock]:
    query = select(SlaClock).where(SlaClock.subject_id == ticket.id).order_by(col(SlaClock.id))
    async with acme.db.read() as session:
        found = list(await session.exec(query))
    wanted = {metric} if metric else {"first_reply", "next_reply", "update_by"}
    return [clock for clock in found if clock.metric in wanted]


async def only(acme: Company, ticket: Ticket, metric: str) -> SlaClock:
    [clock] = await clocks(acme, ticket, metric)
    return clock


async def reply(acme: Company, ticket: Ticket, then: State | None = None, text: str = "We look at it") -> Ticket:
    version = (await current(acme, ticket)).version
    return await acme.tickets.reply(ticket.id, acme.as_omar, text, version=version, ref=uuid4().hex, then=then)


async def ask(acme: Company, ticket: Ticket, text: str = "And now?") -> Ticket:
    return await acme.tickets.answer(ticket.id, text, ref=uuid4().hex)


async def set_state(acme: Company, ticket: Ticket, state: State, reason: str | None = None) -> Ticket:
    version = (await current(acme, ticket)).version
    return await acme.tickets.change_state(ticket.id, acme.as_omar, state, version=version, reason=reason)


async def change_policy(acme: Company, key: str, seconds: int) -> Policy:
    async with acme.db.write() as session:
        policy = next(policy for policy in await current_policies(session) if policy.key == key)
        targets = {
            metric: replace(target, target_seconds=seconds, breach_seconds=seconds)
            for metric, target in policy.targets.items()
        }
        return await publish(session, replace(policy, targets=targets), acme.clock.now())


async def add_policy(acme: Company, key: str, seconds: int, **match: list[object]) -> None:
    """Stands before all others."""
    async with acme.db.write() as session:
        tickets = next(policy for policy in await current_policies(session) if policy.key == "tickets")
        targets = {
            metric: replace(target, target_seconds=seconds, breach_seconds=seconds, alarms=())
            for metric, target in tickets.targets.items()
        }
        added = replace(tickets, key=key, name=key, position=-1, match=match, targets=targets)
        await publish(session, added, acme.clock.now())


async def lines(acme: Company, ticket: Ticket, *types: str) -> list[str]:
    c = acme.strings.catalogue("en")
    query = select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(col(TicketEvent.seq))
    async with acme.db.read() as session:
        return [event_text(event, {}, c, LJUBLJANA) for event in await session.exec(query) if event.type in types]


async def set_operator(acme: Company, operator: Operator, **values: object) -> None:
    async with acme.db.write() as session:
        found = await session.get_one(Operator, operator.id)
        for name, value in values.items():
            setattr(found, name, value)


# ── the ten rules ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_1_only_a_person_of_ours_stops_the_first_reply(acme: Company) -> None:
    ticket = await acme.ticket()
    await acme.tickets.note(ticket.id, acme.as_nina, "It is the switch", ref="a-note-1")
    for actor, automatic in ((SYSTEM, False), (Actor("bot", "Helper"), False), (acme.as_omar, True)):
        async with acme.tickets._change(ticket.id, actor) as change:
            await change.say("We have your message", channel="mail", automatic=automatic)
    clock = await only(acme, ticket, "first_reply")
    assert (clock.state, (await current(acme, ticket)).first_reply_at) == ("running", None)
    await reply(acme, ticket, text="A canned response, sent by Omar")
    assert (await only(acme, ticket, "first_reply")).state == "met"


async def test_rule_2_a_ticket_of_a_telephone_call_has_no_first_reply(acme: Company) -> None:
    conversation = await acme.conversation("She called")
    draft = await acme.draft(conversation)
    opened = await open_ticket(acme.tickets, draft, conversation, acme.as_omar, channel="phone", zone=LJUBLJANA)
    assert await clocks(acme, opened.ticket) == []
    acme.clock.advance(90)
    ticket = await ask(acme, opened.ticket, "One more thing")
    clock = await only(acme, ticket, "next_reply")
    assert clock.started_at == acme.clock.now()
    assert (ticket.due_at, ticket.due_metric) == (acme.clock.now() + timedelta(minutes=10), "next_reply")


async def test_rule_3_a_ticket_of_a_conversation_starts_at_its_creation(acme: Company) -> None:
    conversation = await acme.conversation("It is down")
    acme.clock.advance(240)
    ticket = (await acme.escalate(conversation)).ticket
    clock = await only(acme, ticket, "first_reply")
    assert clock.started_at == ticket.created_at
    assert ticket.waiting_since is not None
    assert ticket.waiting_since < ticket.created_at


async def test_rule_4_two_messages_in_a_row_keep_the_start_of_the_first(acme: Company) -> None:
    ticket = await reply(acme, await acme.ticket())
    first = acme.clock.now()
    await ask(acme, ticket, "Still down")
    acme.clock.advance(120)
    await ask(acme, ticket, "Hello?")
    clock = await only(acme, ticket, "next_reply")
    assert (clock.started_at, clock.due_at) == (first, first + timedelta(minutes=10))
    await reply(acme, ticket)
    await ask(acme, ticket, "Thanks, one more")
    assert [(clock.instance, clock.state) for clock in await clocks(acme, ticket, "next_reply")] == [
        (1, "met"),
        (2, "running"),
    ]


async def test_rule_5_a_promise_may_become_earlier_but_never_later(acme: Company) -> None:
    ticket = await acme.ticket()
    await add_policy(acme, "urgent", 300, priority=[HIGH])
    acme.clock.advance(60)
    ticket = await acme.tickets.set_priority(ticket.id, acme.as_omar, HIGH, version=ticket.version)
    assert ticket.due_at == ticket.created_at + timedelta(minutes=5)
    ticket = await acme.tickets.set_priority(ticket.id, acme.as_omar, NORMAL, version=ticket.version)
    assert ticket.due_at == ticket.created_at + timedelta(minutes=5)
    await add_policy(acme, "invoices", 240, department=["financial"])
    version = ticket.version
    ticket = await transfer(acme.tickets, ticket.id, acme.as_omar, "financial", "Yours", version=version, ref="move-01")
    assert ticket.due_at == ticket.created_at + timedelta(minutes=4)


async def test_rule_6_waiting_without_a_word_leaves_the_first_reply_alone(acme: Company) -> None:
    ticket = await acme.ticket()
    before = await only(acme, ticket, "first_reply")
    ticket = await set_state(acme, ticket, State.WAITING_CUSTOMER)
    after = await only(acme, ticket, "first_reply")
    assert (after.state, after.due_at) == ("running", before.due_at)
    await reply(acme, ticket, State.SOLVED)
    acme.clock.advance(3600)
    ticket = await ask(acme, ticket, "It is down again")
    assert ticket.state == State.OPEN
    assert (await only(acme, ticket, "first_reply")).state == "met"
    assert (await only(acme, ticket, "next_reply")).started_at == acme.clock.now()


async def test_next_reply_pauses_in_the_waiting_states(acme: Company) -> None:
    ticket = await reply(acme, await acme.ticket())
    start = acme.clock.now()
    await ask(acme, ticket)
    acme.clock.advance(120)
    ticket = await set_state(acme, ticket, State.WAITING_THIRD_PARTY)
    assert (await only(acme, ticket, "next_reply")).due_at is None
    assert ticket.due_at is None
    acme.clock.advance(3600)
    ticket = await set_state(acme, ticket, State.OPEN)
    assert ticket.due_at == start + timedelta(minutes=10) + timedelta(hours=1)
    acme.clock.advance(60)
    await reply(acme, ticket)
    assert (await only(acme, ticket, "next_reply")).elapsed_seconds == 180


async def test_rule_7_spam_is_left_out_and_a_merge_keeps_the_older_start(acme: Company) -> None:
    spam = await acme.ticket()
    await set_state(acme, spam, State.CLOSED, "spam")
    assert (await only(acme, spam, "first_reply")).state == "cancelled"
    await acme.another_visitor()
    older = await acme.ticket()
    await acme.another_visitor()
    acme.clock.advance(180)
    newer = await acme.ticket()
    async with acme.db.write() as session:
        source, target = await session.get_one(Ticket, older.id), await session.get_one(Ticket, newer.id)
        await take_over(session, source, target, acme.clock.now())
        assert target.due_at == older.created_at + timedelta(minutes=10)
    assert (await only(acme, older, "first_reply")).state == "cancelled"
    acme.clock.advance(1000)
    async with acme.db.read() as session:
        found = await measure_tickets(session, TICKET_CHANNELS, acme.clock.now())
    assert found.n == 1


@pytest.mark.parametrize("answered", [0, 1])
async def test_rule_7_the_older_start_holds_whether_it_is_the_first_reply_or_the_next(
    acme: Company, answered: int
) -> None:
    tickets = []
    for n in range(2):
        await acme.another_visitor()
        acme.clock.advance(180)
        tickets.append(await acme.ticket())
        if n == answered:
            await reply(acme, tickets[n])
            await ask(acme, tickets[n])
    async with acme.db.write() as session:
        source, target = [await session.get_one(Ticket, one.id) for one in tickets]
        await take_over(session, source, target, acme.clock.now())
        assert target.due_at == source.created_at + timedelta(minutes=10)


async def test_rule_8_a_changed_policy_moves_running_clocks_and_no_finished_one(acme: Company) -> None:
    done = await reply(acme, await acme.ticket())
    await acme.another_visitor()
    ticket = await acme.ticket()
    policy = await change_policy(acme, "tickets", 1200)
    assert await acme.worker.engine.apply() == Applied(1, more=False)
    assert await acme.worker.engine.apply() == Applied(0, more=False)
    clock = await only(acme, ticket, "first_reply")
    assert (clock.policy_version, clock.target_seconds, clock.due_at) == (
        policy.version, 1200, ticket.created_at + timedelta(minutes=20),
    )  # fmt: skip
    assert (await current(acme, ticket)).due_at == clock.due_at
    finished = await only(acme, done, "first_reply")
    assert (finished.policy_version, finished.target_seconds) == (1, 600)
    assert await lines(acme, ticket, "clock_applied") == [
        "Policy “Tickets” changed to version 2: the due was computed again"
    ]
    async with acme.db.read() as session:
        assert (await session.exec(select(SlaEvent.type).where(SlaEvent.clock_id == clock.id))).all() == ["applied"]


async def test_rule_8_no_longer_promise_keeps_one_that_was_broken(acme: Company) -> None:
    ticket = await acme.ticket()
    acme.clock.advance(601)
    await acme.worker.engine.round()
    await change_policy(acme, "tickets", 1200)
    assert await acme.worker.engine.apply() == Applied(0, more=False)
    clock = await only(acme, ticket, "first_reply")
    due = ticket.created_at + timedelta(minutes=10)
    assert (clock.due_at, clock.breached_at, (await current(acme, ticket)).due_at) == (due, due, due)
    acme.clock.advance(60)
    await reply(acme, await current(acme, ticket))
    assert (await only(acme, ticket, "first_reply")).breached_at == due


async def test_rule_8_is_carried_out_to_the_end_by_whoever_works(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process of the administrator died with the change committed, and a worker in the middle of what follows."""
    monkeypatch.setattr(engine, "TICKETS_AT_ONCE", 2)
    tickets = []
    for _ in range(5):
        tickets.append(await acme.ticket())
        await acme.another_visitor()
    await change_policy(acme, "tickets", 1200)
    async with acme.db.write() as session:
        await acme.worker.engine.changed(session)
    assert await acme.worker.engine.apply() == Applied(2, more=True), "nobody waits for all of them"
    assert await acme.tickets.outbox.work_once()
    dying, whole = SlaEngine(acme.tickets), SlaEngine._apply_to

    async def die(self: SlaEngine, ticket_id: UUID) -> int:
        if self is dying and ticket_id == sorted(one.id for one in tickets)[3]:
            raise asyncio.CancelledError
        return await whole(self, ticket_id)

    monkeypatch.setattr(SlaEngine, "_apply_to", die)
    with pytest.raises(asyncio.CancelledError):
        await acme.tickets.outbox.work_once()
    next_one = SlaEngine(acme.tickets)
    assert not await acme.tickets.outbox.work_once(), "it is the dead one's until its lease ends"
    acme.clock.advance(61)
    while await acme.tickets.outbox.work_once():
        pass
    for ticket in tickets:
        assert (await only(acme, ticket, "first_reply")).target_seconds == 1200
        assert len(await lines(acme, ticket, "clock_applied")) == 1
    assert await next_one.apply() == Applied(0, more=True)


async def test_rules_5_and_8_a_renamed_policy_puts_off_no_promise_that_was_kept(acme: Company) -> None:
    """It was high for a minute; then another policy becomes the next version."""
    await add_policy(acme, "urgent", 300, priority=[HIGH])
    ticket = await acme.ticket()
    for priority in (HIGH, NORMAL):
        ticket = await acme.tickets.set_priority(ticket.id, acme.as_omar, priority, version=ticket.version)
    await change_policy(acme, "mail", 900)
    assert await acme.worker.engine.apply() == Applied(0, more=False)
    assert (await current(acme, ticket)).due_at == ticket.created_at + timedelta(minutes=5)
    await change_policy(acme, "urgent", 420)
    assert await acme.worker.engine.apply() == Applied(1, more=False)
    assert (await current(acme, ticket)).due_at == ticket.created_at + timedelta(minutes=7)


async def test_rule_9_automatic_replies_start_nothing_and_reopen_nothing(acme: Company) -> None:
    ticket = await reply(acme, await acme.ticket(), State.SOLVED)
    async with acme.tickets._change(ticket.id, None) as change:
        await change.say("I am out of office", channel="mail", automatic=True)
    ticket = await current(acme, ticket)
    assert (ticket.state, ticket.operators_turn, ticket.due_at) == (State.SOLVED, False, None)
    assert await clocks(acme, ticket, "next_reply") == []


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 12, 25, 22, 55, tzinfo=UTC),
        datetime(2028, 2, 29, 22, 55, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 55, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 55, tzinfo=UTC),
    ],
)
async def test_rule_10_ten_minutes_at_any_hour_and_the_very_second_is_met(acme: Company, start: datetime) -> None:
    acme.clock.set(start)
    async with acme.db.write() as session:
        await current_policies(session)
        calendar = (await session.exec(select(CalendarRow))).one()
        calendar.holidays = ["2026-12-25", "2026-12-26"]
    ticket = await acme.ticket()
    assert ticket.due_at == start + timedelta(minutes=10)
    acme.clock.advance(600)
    await acme.worker.engine.round()
    await reply(acme, ticket)
    clock = await only(acme, ticket, "first_reply")
    assert (clock.state, clock.elapsed_seconds, clock.breached_at) == ("met", 600, None)


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_shipped_policies_are_there_once_however_many_ask_first(acme: Company) -> None:
    found = await asyncio.gather(*(policies_in(acme.db) for _ in range(8)))
    assert {tuple(policy.key for policy in policies) for policies in found} == {("chat", "mail", "tickets")}
    mail, tickets = found[0][1].targets["first_reply"], found[0][2].targets["first_reply"]
    assert (mail.target_seconds, mail.breach_seconds, [alarm.after for alarm in mail.alarms]) == (900, 1800, [600, 900])
    assert (tickets.target_seconds, tickets.breach_seconds) == (600, 600)
    assert tickets.alarms == (Alarm(300, "assigned"), Alarm(480, "offer"), Alarm(540, "supervisor"))


async def test_a_mail_is_late_after_15_minutes_and_breached_after_30(acme: Company) -> None:
    for seconds, breached in ((1800, False), (1801, True)):
        conversation = await acme.conversation("By mail")
        draft = await acme.draft(conversation)
        opened = await open_ticket(acme.tickets, draft, conversation, acme.as_omar, channel="mail", zone=LJUBLJANA)
        assert opened.ticket.due_at == opened.ticket.created_at + timedelta(minutes=15)
        acme.clock.advance(seconds)
        await acme.worker.engine.round()
        clock = await only(acme, opened.ticket, "first_reply")
        assert (clock.breached_at is not None) is breached
        await reply(acme, opened.ticket)
        await acme.another_visitor()
    async with acme.db.read() as session:
        found = await measure_tickets(session, MAIL_CHANNELS, acme.clock.now())
    assert (found.n, found.share) == (2, 0)


# ── the engine ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_steps_at_5_8_9_and_10_minutes(acme: Company) -> None:
    await set_operator(acme, acme.omar, present=True, load=0)
    await set_operator(acme, acme.nina, present=True, load=3, role="supervisor")
    ticket = await acme.ticket()
    acme.nudges.clear()
    engine = acme.worker.engine
    version = (await current(acme, ticket)).version
    told = []
    for advance in (299, 1, 179, 1, 59, 1, 60, 1):
        acme.clock.advance(advance)
        told.append(await engine.round())
        assert await engine.round() == 0
    assert told == [0, 1, 0, 1, 0, 1, 0, 1]
    assert await lines(acme, ticket, "alarm", "breached") == [
        "5:00 without a reply: Omar alerted again, the ticket is theirs",
        "8:00 without a reply: offered to Nina, the least loaded of 1",
        "9:00 without a reply: supervisors alerted: Nina",
        "Breached: no first reply by the time promised. Omar had it.",
    ]
    clock = await only(acme, ticket, "first_reply")
    assert (clock.state, clock.breached_at, clock.next_at) == ("running", ticket.due_at, None)
    assert acme.nudges.count(("alarm", ticket.number)) == 4
    assert (await current(acme, ticket)).version == version
    await reply(acme, ticket)
    clock = await only(acme, ticket, "first_reply")
    assert (clock.state, clock.elapsed_seconds, clock.breached_at) == ("met", 601, ticket.due_at)


async def test_many_workers_carry_out_each_step_once(acme: Company) -> None:
    tickets = []
    for _ in range(4):
        tickets.append(await acme.ticket())
        await acme.another_visitor()
    acme.clock.advance(700)
    engines = [SlaEngine(acme.tickets) for _ in range(6)]
    await asyncio.gather(*(engine.round() for engine in engines))
    await engines[0].round()
    for ticket in tickets:
        clock = await only(acme, ticket, "first_reply")
        async with acme.db.read() as session:
            events = await session.exec(
                select(SlaEvent.type, SlaEvent.n).where(SlaEvent.clock_id == clock.id).order_by(col(SlaEvent.n))
            )
            assert sorted(events) == [("alarm", 300), ("alarm", 480), ("alarm", 540), ("breached", 1)]
        assert len(await lines(acme, ticket, "alarm", "breached")) == 4


async def test_nobody_absent_full_or_away_is_offered_a_ticket(acme: Company) -> None:
    for values in (
        {"present": False},
        {"present": True, "load": 5},
        {"present": True, "load": 0, "status": "away"},
        {"present": True, "load": 0, "status": "online", "active": False},
    ):
        await set_operator(acme, acme.nina, **values)
        ticket = await acme.ticket()
        acme.clock.advance(480)
        await acme.worker.engine.round()
        assert (await lines(acme, ticket, "alarm"))[-1] == (
            "8:00 without a reply: nobody else of the department is present and has room"
        )
        await acme.another_visitor()


async def test_a_reply_in_time_that_is_copied_late_is_no_breach(acme: Company) -> None:
    conversation = await acme.conversation("It is down")
    ticket = (await acme.escalate(conversation)).ticket
    acme.clock.advance(500)
    await acme.conversations.say_as_operator(conversation, acme.omar.id, "Omar", "I am on it", uuid4().hex)
    acme.clock.advance(200)
    await acme.worker.engine.round()
    assert (await only(acme, ticket, "first_reply")).breached_at is not None
    await acme.worker.sweep()
    clock = await only(acme, ticket, "first_reply")
    assert (clock.state, clock.elapsed_seconds, clock.breached_at) == ("met", 500, None)


async def test_the_reason_of_a_breach_is_asked_and_recorded_once(acme: Company) -> None:
    ticket = await acme.ticket()
    clock = await only(acme, ticket, "first_reply")
    with pytest.raises(NotPossible):
        await acme.tickets.explain_breach(ticket.id, acme.as_omar, clock.id, "There was none")
    acme.clock.advance(700)
    await acme.worker.engine.round()
    for _ in range(2):
        await acme.tickets.explain_breach(ticket.id, acme.as_omar, clock.id, "Two outages at once")
    assert (await only(acme, ticket, "first_reply")).reason == "Two outages at once"
    assert await lines(acme, ticket, "breach_reason") == ["Why it was late: Two outages at once"]


async def test_an_alarm_concerns_who_has_the_ticket_then_who_is_offered_it_then_supervisors(acme: Company) -> None:
    await set_operator(acme, acme.nina, present=True)
    ticket = await acme.ticket()
    boss = replace_role(acme.nina, "supervisor")

    async def steps(operator: Operator) -> list[str]:
        async with acme.db.read() as session:
            return [alert.step for alert in await alerts_for(session, operator, acme.clock.now())]

    assert await steps(acme.omar) == []
    for seconds, omar, nina, supervisor in (
        (300, ["assigned"], [], []),
        (180, ["assigned"], ["offer"], ["offer"]),
        (60, ["assigned"], ["offer"], ["supervisor"]),
        (61, ["breached"], ["offer"], ["breached"]),
    ):
        acme.clock.advance(seconds)
        await acme.worker.engine.round()
        assert (await steps(acme.omar), await steps(acme.nina), await steps(boss)) == (omar, nina, supervisor)
    await reply(acme, ticket)
    assert (await steps(acme.omar), await steps(boss)) == ([], [])


def replace_role(operator: Operator, role: str) -> Operator:
    return Operator(**operator.model_dump() | {"role": role})


async def test_a_stated_update_is_a_clock_of_its_own(acme: Company) -> None:
    ticket = await reply(acme, await acme.ticket())
    due = acme.clock.now() + timedelta(minutes=30)
    acme.clock.advance(0.4)
    ticket = await acme.tickets.promise_update(ticket.id, acme.as_omar, due, version=ticket.version)
    assert (ticket.due_at, ticket.due_metric) == (due, "update_by")
    async with acme.db.write() as session:
        link = await link_for(session, ticket, "", acme.clock.now())
        shown = await requesters_ticket(session, link, acme.clock.now())
    assert shown is not None
    assert (shown.update_by, shown.due_metric) == (due, "update_by")
    acme.clock.advance(28 * MINUTE)
    await acme.worker.engine.round()
    assert await lines(acme, ticket, "alarm") == [
        "2:00 before the due without a reply: Omar alerted again, the ticket is theirs"
    ]
    later = due + timedelta(minutes=30)
    ticket = await acme.tickets.promise_update(ticket.id, acme.as_omar, later, version=ticket.version)
    assert [clock.state for clock in await clocks(acme, ticket, "update_by")] == ["met", "running"]
    acme.clock.advance(33 * MINUTE)
    await acme.worker.engine.round()
    assert await lines(acme, ticket, "breached") == ["Breached: no update by the time promised. Omar had it."]
    await reply(acme, ticket)
    assert [clock.state for clock in await clocks(acme, ticket, "update_by")] == ["met", "met"]
    for wrong in (acme.clock.now(), acme.clock.now() + timedelta(days=2)):
        version = (await current(acme, ticket)).version
        with pytest.raises(NotPossible):
            await acme.tickets.promise_update(ticket.id, acme.as_omar, wrong, version=version)


async def test_who_solves_without_a_word_has_still_promised_one(acme: Company) -> None:
    ticket = await set_state(acme, await acme.ticket(), State.SOLVED)
    assert (await only(acme, ticket, "first_reply")).state == "running"
    await acme.another_visitor()
    theirs = await acme.tickets.solve((await acme.ticket()).id)
    assert (await only(acme, theirs, "first_reply")).state == "cancelled"


async def test_policies_are_versioned_and_the_old_one_stays(acme: Company) -> None:
    await policies_in(acme.db)
    await change_policy(acme, "tickets", 900)
    async with acme.db.read() as session:
        versions = select(SlaPolicy).where(SlaPolicy.key == "tickets").order_by(col(SlaPolicy.version))
        rows = (await session.exec(versions)).all()
        old = (await session.exec(select(SlaTarget).where(SlaTarget.policy_id == rows[0].id))).all()
    assert [(row.version, row.retired_at is None) for row in rows] == [(1, False), (2, True)]
    assert {target.target_seconds for target in old if target.metric == "first_reply"} == {600}
    assert (await acme.ticket()).due_at == acme.clock.now() + timedelta(minutes=15)


async def test_a_policy_is_for_accounts_with_a_tag(acme: Company) -> None:
    ticket = await acme.ticket()
    await add_policy(acme, "vip", 120, account_tags=["vip", "gold"])
    account = Account(id=uuid4(), account_no="A-1", name="Acme", language="en", zone="", tags=["VIP"])
    async with acme.db.write() as session:
        session.add(account)
        await session.flush()
        found = await session.get_one(Ticket, ticket.id)
        for account_id, tags, key in ((None, ["VIP"], "tickets"), (account.id, ["plain"], "tickets"),
                                      (account.id, ["plain", "VIP"], "vip")):  # fmt: skip
            account.tags, found.account_id = tags, account_id
            await session.flush()
            policy = await fitting_policy(session, found)
            assert policy is not None
            assert policy.key == key


async def test_solve_is_measured_without_the_waits_and_promises_nothing(acme: Company) -> None:
    ticket = await acme.ticket()
    acme.clock.advance(60)
    await reply(acme, ticket, then=State.WAITING_CUSTOMER)
    acme.clock.advance(3600)
    await ask(acme, ticket)
    acme.clock.advance(120)
    await set_state(acme, ticket, State.SOLVED)
    clock = await only(acme, ticket, "solve")
    assert (clock.state, clock.elapsed_seconds, clock.due_at, clock.next_at) == ("met", 180, None, None)
    acme.clock.advance(3600)
    await ask(acme, ticket, "It is down again")
    acme.clock.advance(30)
    await acme.tickets.solve(ticket.id)
    found = await clocks(acme, ticket, "solve")
    assert [(one.instance, one.state, one.elapsed_seconds) for one in found] == [(1, "met", 180), (2, "met", 30)]
    await acme.another_visitor()
    other = await acme.ticket("Buy this")
    await set_state(acme, other, State.CLOSED, "spam")
    assert (await only(acme, other, "solve")).state == "cancelled"


async def test_solve_is_shown_to_nobody_and_due_nowhere(acme: Company) -> None:
    ticket = await acme.ticket()
    await reply(acme, ticket)
    assert (await current(acme, ticket)).due_at is None
    async with acme.db.write() as session:
        link = await link_for(session, ticket, "", acme.clock.now())
        shown = await requesters_ticket(session, link, acme.clock.now())
    assert shown is not None
    assert "solve" not in repr(shown)


async def test_a_breach_that_the_reply_finds_first_has_its_line_too(acme: Company) -> None:
    ticket = await acme.ticket()
    acme.clock.advance(601)
    await reply(acme, ticket)
    assert await lines(acme, ticket, "breached") == ["Breached: no first reply by the time promised. Omar had it."]
    await acme.worker.engine.round()
    assert len(await lines(acme, ticket, "breached")) == 1
