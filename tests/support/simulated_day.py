"""A day of a desk on an injected clock, through the real modules: people come, operators of three shifts answer, some
are away, some are slow. What must never happen is judged afterwards, from the rows and from the roster itself."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Row, func
from sqlalchemy import select as core_select
from sqlmodel import col, select

from chat.conversations.entry import Author
from chat.conversations.models import Conversation
from chat.db import table_of
from chat.ids import new_id, new_secret
from chat.pairing import steps, waiting
from chat.pairing.dispatcher import Dispatcher
from chat.pairing.models import Assignment
from chat.pairing.presence import NOW
from chat.people.models import Department, Operator, OperatorDepartment, Visitor
from chat.public import duty_of
from escalation.change import Actor
from escalation.customers.known import IDENTIFIED
from escalation.desk.timeline import event_text
from escalation.models import SlaClock, SlaEvent, Ticket, TicketAssignment, TicketEvent, TicketMessage
from escalation.opening import open_ticket
from escalation.reach import OperatorReader, reader_of
from escalation.shifts.store import rosters
from escalation.sla.calendars import Interval
from escalation.sla.crew import Place, situation
from escalation.sla.policies import Policy, policies_in
from escalation.sla.words import breach_text
from escalation.states import HIGH, State
from escalation.worklist import free_work
from tests.support.clock import FakeClock
from tests.support.quick_sqlite import quick_database
from tests.support.rosters import add_absence, add_shift
from tests.support.tickets import LJUBLJANA, Company, company

CASES = 2_000
EACH = 8
"""Operators in each shift."""
SHIFTS = (("Early", 6, 14), ("Late", 14, 22), ("Night", 22, 6))
BEGIN = datetime(2026, 6, 2, 0, 0, tzinfo=UTC)
MINUTES = 24 * 60
LINGERS = timedelta(minutes=31)
BUSY = [1, 1, 1, 1, 1, 2, 3, 5, 8, 9, 9, 8, 7, 7, 8, 9, 8, 6, 5, 4, 3, 2, 2, 1]
"""How many come in each hour of the day, in proportion."""
STEP_SECONDS = 120
SLOW = "Late 0"
"""Lets people wait."""


async def a_day(cases: int = CASES) -> "Day":
    """The same each time, judged."""
    clock = FakeClock(BEGIN)
    async with quick_database() as db, company(db, clock) as acme:
        dispatcher = Dispatcher(db, clock, acme.hub, acme.pairing, 45)
        day = Day(acme, dispatcher, random.Random(4))  # noqa: S311 — nothing is hidden by it
        await day.pass_by(cases, EACH)
    return day


# Each is executed hundreds of times: kept, and without columns that nobody reads.
_talks, _tickets, _operators = table_of(Conversation), table_of(Ticket), table_of(Operator)
_TALKS = core_select(
    _talks.c.id, _talks.c.state, _talks.c.operator_id, _talks.c.visitor_id, _talks.c.waiting_since
).where(_talks.c.state.in_(("offered", "active")))
_THEIR_TURN = (
    core_select(
        *(_tickets.c.id, _tickets.c.number, _tickets.c.version, _tickets.c.priority),
        *(_tickets.c.department_id, _tickets.c.operator_id),
    )
    .where(_tickets.c.open.is_(True), _tickets.c.operators_turn.is_(True))
    .order_by(_tickets.c.place)
)
_UNHELD = _THEIR_TURN.where(_tickets.c.operator_id.is_(None))
_OURS = _THEIR_TURN.where(_tickets.c.operator_id.is_not(None))
_HELD = (
    core_select(_tickets.c.operator_id, func.count())
    .where(_tickets.c.open.is_(True), _tickets.c.operator_id.is_not(None))
    .group_by(_tickets.c.operator_id)
)
_ASKED = core_select(_tickets.c.id).where(_tickets.c.state == State.WAITING_CUSTOMER.value).order_by(_tickets.c.id)
_READY = core_select(_operators.c.id, _operators.c.ticket_capacity).where(steps.ready(NOW))


@dataclass
class Day:
    acme: Company
    dispatcher: Dispatcher
    chance: random.Random
    people: list[Operator] = field(default_factory=list)
    spans: dict[UUID, list[Interval]] = field(default_factory=dict)
    """When each is on duty, by the roster alone."""
    departments: dict[UUID, set[UUID]] = field(default_factory=dict)
    readers: dict[UUID, OperatorReader] = field(default_factory=dict)
    policies: Sequence[Policy] = ()
    visitors: list[Visitor] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    async def pass_by(self, cases: int, each: int) -> None:
        """The whole day, and the judgement over it."""
        await self.furnish(BEGIN, cases, each)
        step = STEP_SECONDS // 60
        for end in range(step, MINUTES + 1, step):
            # As many as belong to the day so far.
            hour, rest = divmod(end, 60)
            share = (sum(BUSY[:hour]) + (BUSY[hour] * rest / 60 if rest else 0)) / sum(BUSY)
            await self.step(len(self.visitors) - (cases - round(cases * share)))
        await self.judge()
        await self.judge_promises()

    async def furnish(self, begin: datetime, visitors: int, each: int) -> None:
        """`each` operators in a shift, two departments, and absences: one of the early shift is on leave, one of the
        late shift goes home ill, and for an hour of the night and twenty minutes of the busiest nobody is there."""
        acme = self.acme
        crews: dict[str, list[Operator]] = {}
        async with acme.db.write() as session:
            departments = {one.slug: one.id for one in await session.exec(select(Department))}
            for operator in (acme.omar, acme.nina):
                (await session.get_one(Operator, operator.id)).active = False
            for name, _, _ in SHIFTS:
                crews[name] = [
                    Operator(
                        id=new_id(), email=f"{name}{n}@acme.example", name=f"{name} {n}", settings={}, capacity=3,
                        ticket_capacity=6, role="supervisor" if n == 0 else "operator", created_at=begin,
                    )
                    for n in range(each)
                ]  # fmt: skip
                for operator in crews[name]:
                    session.add(operator)
            await session.flush()
            for n, operator in enumerate(one for crew in crews.values() for one in crew):
                for slug in ("technical", "financial") if n % 2 else ("technical",):
                    session.add(OperatorDepartment(operator_id=operator.id, department_id=departments[slug]))
                    self.departments.setdefault(departments[slug], set()).add(operator.id)
            self.visitors = [
                Visitor(
                    id=new_id(), site_id=acme.visitor.site_id, token_hash=new_secret(), name="Ann", pages=[],
                    created_at=begin, seen_at=begin,
                )
                for _ in range(visitors)
            ]  # fmt: skip
            for visitor in self.visitors:
                session.add(visitor)
        for name, opens, closes in SHIFTS:
            await add_shift(acme.db, acme.clock, name, opens, closes, *crews[name])
        day = timedelta(days=1)
        await add_absence(acme.db, crews["Early"][1], begin - day, begin + 2 * day)
        await add_absence(acme.db, crews["Late"][2], begin + timedelta(hours=17), begin + day)
        for operator in crews["Night"]:
            await add_absence(acme.db, operator, begin + timedelta(hours=2), begin + timedelta(hours=3))
        for operator in crews["Early"]:
            await add_absence(acme.db, operator, begin + timedelta(hours=11, minutes=40), begin + timedelta(hours=12))
        self.people = [one for crew in crews.values() for one in crew]
        ids = [one.id for one in self.people]
        async with acme.db.read() as session:
            found = await rosters(session, ids, begin)
            self.readers = {one.id: await reader_of(session, one) for one in self.people}
        self.policies = await policies_in(acme.db)
        self.spans = {one: found[one].between(begin, begin + 2 * day) for one in ids}
        await acme.shifts.renew(ids)

    def on_duty(self, operator_id: UUID, at: datetime) -> bool:
        return any(begins <= at < ends for begins, ends in self.spans[operator_id])

    async def step(self, coming: int) -> None:
        """Two minutes, in which so many people come."""
        acme = self.acme
        acme.clock.advance(STEP_SECONDS)
        await self._appear()
        await asyncio.gather(*(self._come(self.visitors.pop()) for _ in range(coming)))
        await self._hand_over()
        await self.dispatcher.turn()
        await self._check_queue()
        await asyncio.gather(*(self._turn(talk) for talk in await self._talks()))
        await self._take_tickets()
        await self._answer_tickets()
        await acme.worker.copy_heard()
        await acme.worker.engine.round()
        await acme.worker.engine.talks.round()

    async def _appear(self) -> None:
        """Those on duty are there, and most of those whose shift has just ended; who is on leave has left a console
        open, too."""
        now = self.acme.clock.now()
        if now.minute % 10:
            return
        async with self.acme.db.write() as session:
            for operator in (await session.exec(select(Operator).where(col(Operator.active).is_(True)))).all():
                late = operator.off_since is not None and now < operator.off_since + timedelta(minutes=20)
                operator.present = self.on_duty(operator.id, now) or late or operator.name == "Early 1"

    async def _come(self, visitor: Visitor) -> None:
        acme, chance = self.acme, self.chance
        topic = chance.choice(["The server is down", "My invoice is wrong", "How do I move a domain?"])
        talk = await acme.conversation_of(visitor, topic, "financial" if "invoice" in topic else "technical")
        if chance.random() < 0.15:
            # Written as a ticket: by the form, with nobody in between.
            draft = await acme.draft(talk)
            if chance.random() < 0.4:
                high = replace(draft.priority, value=HIGH)
                draft = replace(draft, priority=high, verify_level=IDENTIFIED)
            await open_ticket(acme.tickets, draft, talk, Actor("requester", "Ann"), channel="form", zone=LJUBLJANA)
            await acme.pairing.end(talk, Author("visitor", visitor.id, "Ann"))
            self.seen["tickets"] += 1
        else:
            self.seen["conversations"] += 1

    async def _talks(self) -> Sequence[Row[Any]]:
        async with self.acme.db.read() as session:
            return (await session.execute(_TALKS)).all()

    async def _turn(self, talk: Row[Any]) -> None:
        acme, chance = self.acme, self.chance
        name = next(one.name for one in self.people if one.id == talk.operator_id)
        by = Author("operator", talk.operator_id, name)
        # Who does not take it in time is passed over by the next turn of the dispatcher.
        if talk.state == "offered" and (
            chance.random() < 0.1 or not await acme.pairing.accept(talk.id, talk.operator_id)
        ):
            return
        if talk.waiting_since is not None:
            if chance.random() < (0.05 if name == SLOW else 0.8):
                await acme.conversations.say(talk.id, by, "Let me look", uuid4().hex)
        elif chance.random() < 0.07:
            await acme.escalate(talk.id, Actor("operator", name, talk.operator_id))
            await acme.pairing.end(talk.id, by)
            self.seen["tickets"] += 1
        elif chance.random() < 0.8:
            await acme.pairing.end(talk.id, by)
        else:
            await acme.conversations.say(talk.id, Author("visitor", talk.visitor_id, "Ann"), "And now?", uuid4().hex)

    async def _take_tickets(self) -> None:
        """Whoever has room asks for the next, who has most of it first, until there is nothing for them."""
        acme, now = self.acme, self.acme.clock.now()
        async with acme.db.read() as session:
            unheld = {one.id: one for one in (await session.execute(_UNHELD)).all()}
            if not unheld:
                return
            ready = (await session.execute(_READY, {"now": now})).all()
        held = await self._held()
        room = {one.id: one.ticket_capacity - held.get(one.id, 0) for one in ready}
        talks_first: set[UUID] = set()
        while able := [
            one for one in room
            if room[one] > 0 and any(one in self.departments[ticket.department_id] for ticket in unheld.values())
        ]:  # fmt: skip
            taker = max(able, key=lambda one: (room[one], str(one)))
            taken = await self._take_next(taker, unheld)
            if taken is None:
                # Nor for who works where they do.
                alike = {one for one in room if self.readers[one].departments == self.readers[taker].departments}
                talks_first |= alike
                room |= dict.fromkeys(alike, 0)
                continue
            room[taker] -= 1
            unheld.pop(taken, None)
        left: dict[UUID, Row[Any]] = {}
        for ticket in unheld.values():
            left.setdefault(ticket.department_id, ticket)
        async with acme.db.read() as session:
            for ticket in left.values():
                why = (await situation(session, cast("Place", ticket), now))["code"]
                self.seen[f"unassigned: {why}"] += 1
                is_behind = why == "not_taken" and talks_first & self.departments[ticket.department_id]
                if why not in ("nobody_on_shift", "nobody_here", "all_full") and not is_behind:
                    self.faults.append(f"{now}: {ticket.number} has nobody: {why}")

    async def _take_next(self, taker: UUID, unheld: dict[UUID, Row[Any]]) -> UUID | None:
        """As the list gives it; None where it has conversations first."""
        acme, now = self.acme, self.acme.clock.now()
        async with acme.db.read() as session:
            rows = await free_work(session, self.readers[taker], self.policies)
        if not rows:
            self.faults.append(f"{now}: there is a ticket, and for {taker} nothing is next")
        for first in (row.ticket.ticket for row in rows if row.ticket is not None):
            mine = [one for one in unheld.values() if taker in self.departments[one.department_id]]
            self.seen["high before normal"] += first.priority == HIGH and any(one.priority != HIGH for one in mine)
            if any(one.priority < first.priority for one in mine):
                self.faults.append(f"{now}: {first.number} was taken before one that is high")
            if await acme.tickets.take(first.id, Actor("operator", "", taker)):
                self.seen["taken"] += 1
                return first.id
        return None

    async def _hand_over(self) -> None:
        """At the end of a shift. Nobody gets more than they have room for."""
        handed = await self.acme.shifts.round()
        self.seen["hand-overs"] += handed
        if not handed:
            return
        now, held = self.acme.clock.now(), await self._held()
        async with self.acme.db.read() as session:
            events = await session.exec(
                select(TicketEvent.data).where(TicketEvent.type == "handed_over", TicketEvent.at == now)
            )
            given = {UUID(one["operator"]) for one in events if one["operator"]}
        for one in self.people:
            if one.id in given and held[one.id] > one.ticket_capacity:
                self.faults.append(f"{now}: {one.name} was handed tickets beyond their capacity")

    async def _held(self) -> dict[UUID, int]:
        async with self.acme.db.read() as session:
            return dict((await session.execute(_HELD)).all())

    async def _answer_tickets(self) -> None:
        """Each operator on duty answers the first of theirs, and solves many."""
        acme, now = self.acme, self.acme.clock.now()
        async with acme.db.read() as session:
            mine = (await session.execute(_OURS)).all()
            asked = (await session.execute(_ASKED)).scalars().all()
        names = {one.id: one.name for one in self.people}
        busy: set[UUID] = set()
        for ticket in mine:
            operator = ticket.operator_id
            if operator in busy or not self.on_duty(operator, now):
                continue
            busy.add(operator)
            if self.chance.random() < (0.1 if names[operator] == SLOW else 0.8):
                then = State.SOLVED if self.chance.random() < 0.7 else State.WAITING_CUSTOMER
                actor = Actor("operator", names[operator], operator)
                await acme.tickets.reply(ticket.id, actor, "Done", version=ticket.version, ref=uuid4().hex, then=then)
        for ticket_id in asked:
            if self.chance.random() < 0.05:
                await acme.tickets.answer(ticket_id, "One more thing", ref=uuid4().hex)
            elif self.chance.random() < 0.1:
                await acme.tickets.solve(ticket_id)

    async def _check_queue(self) -> None:
        """After the dispatcher nobody waits where somebody has room."""
        now = self.acme.clock.now()
        async with self.acme.db.read() as session:
            heads = await waiting.first(session, await waiting.all_departments(session))
            room = await steps.with_room(session, [head.department_id for head in heads], now) if heads else set()
        for head in heads:
            self.seen["looks at a queue without room"] += 1
            if head.department_id in room:
                self.faults.append(f"{now}: {head.id} waits though somebody has room")

    async def judge(self) -> None:
        """Every conversation that was ever given to somebody: they were on duty, and had room."""
        async with self.acme.db.read() as session:
            given = (await session.exec(select(Assignment).order_by(col(Assignment.offered_at)))).all()
            capacity = {one.id: one.capacity for one in await session.exec(select(Operator))}
            absent = [
                one for one in await session.exec(select(Operator)) if not duty_of(one).holds(self.acme.clock.now())
            ]
            home = [one.id for one in absent if one.active and not one.present]
            theirs = await session.exec(
                select(Ticket.number).where(col(Ticket.open).is_(True), col(Ticket.operator_id).in_(home))
            )
            self.faults += [f"{number} is with somebody who has gone home" for number in theirs]
        self.seen["given"] = len(given)
        for one in given:
            if not self.on_duty(one.operator_id, one.offered_at):
                self.faults.append(f"{one.offered_at}: given to somebody absent")
        for operator in self.people:
            changes = [(one.offered_at, 1) for one in given if one.operator_id == operator.id]
            changes += [(one.ended_at, -1) for one in given if one.operator_id == operator.id and one.ended_at]
            load = 0
            # What ended in the minute in which the next was given had ended before: the conditional UPDATE saw it.
            for at, change in sorted(changes):
                load += change
                if load > capacity[operator.id]:
                    self.faults.append(f"{at}: {operator.name} has {load} conversations")

    async def judge_promises(self) -> None:
        """Each step of a promise happened once, each breach says why, each hand-over went to somebody on duty with a
        brief."""
        acme = self.acme
        c = acme.strings.catalogue("en")
        async with acme.db.read() as session:
            events = (await session.exec(select(SlaEvent))).all()
            broken = await session.exec(select(SlaClock.id).where(col(SlaClock.breached_at).is_not(None)))
            late = set(broken)
            handed = (await session.exec(select(TicketEvent).where(TicketEvent.type == "handed_over"))).all()
            briefs = await session.exec(
                select(func.count()).where(TicketMessage.kind == "note", TicketMessage.author_name == "Nightdesk")
            )
            written = briefs.one()
            taken = (await session.exec(select(TicketAssignment))).all()
        breaches = [one for one in events if one.type == "breached"]
        steps = [(one.clock_id, one.type, one.n) for one in events]
        if len(steps) != len(set(steps)):
            self.faults.append("a step happened twice")
        for one in breaches:
            self.seen[f"breached: {one.data['cause']['code']}"] += 1
            if not breach_text(one.data, c).endswith("."):
                self.faults.append(f"{one.at}: a breach without a reason")
        if late != {one.clock_id for one in breaches}:
            self.faults.append("a breach without its line of why")
        self.seen["tickets handed over"] = len(handed)
        if written != len(handed):
            self.faults.append(f"{len(handed)} hand-overs and {written} briefs")
        for event in handed:
            if "is off duty" not in event_text(event, {}, c, LJUBLJANA):
                self.faults.append(f"{event.at}: a hand-over that does not say why")
            if event.data["operator"] and not self.on_duty(UUID(event.data["operator"]), event.at):
                self.faults.append(f"{event.at}: handed over to somebody absent")
        # Who finishes a talk after the shift may make a ticket of it: their own act.
        for given in taken:
            if not any(self.on_duty(given.operator_id, at) for at in (given.started_at, given.started_at - LINGERS)):
                self.faults.append(f"{given.started_at}: a ticket was given to somebody absent")
