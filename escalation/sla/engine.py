"""What happens when a promise runs out: alarms, offers, the breach. Each once, by whoever claims the clock first."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import rows_changed, table_of
from chat.ids import new_id
from chat.public import Operator, duty_of
from chat.tally import Counts
from escalation.actions import Tickets
from escalation.change import SYSTEM, Change
from escalation.models import SlaClock, Ticket
from escalation.sla.clocks import apply_policies, fired_alarms, plan_for
from escalation.sla.crew import least_loaded, situation, supervisors
from escalation.sla.policy_tables import SlaPolicy
from escalation.sla.ringing import rung
from escalation.sla.talks import TalkClocks
from escalation.sla.timing import Step, is_breached

ROUND_SECONDS = 5.0
AT_ONCE = 100
APPLY = "sla.apply"
"""Outbox kind: running clocks have to follow a change of policies or calendars."""
TICKETS_AT_ONCE = 200
"""In one row of the outbox, so that the rows behind it do not wait long, and in the request of an administrator."""
FIRST = UUID(int=0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """How many running clocks were computed again, each with a line of why; `more`: others are still to come."""

    moved: int
    more: bool


class SlaEngine:
    """Any number may run: a step belongs to the one whose conditional UPDATE moves `next_at` on."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets
        self.breaches = Counts()
        """By metric."""
        self.talks = TalkClocks(tickets, self.breaches)
        tickets.outbox.on(APPLY, self.carry_on)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while await self.round():
                    pass  # after a standstill a clock has several steps behind it, and each round takes one
                await self.talks.round()
            except Exception:
                # Clocks stand where they stood; the next round finds them.
                log.warning("clocks could not be looked at", exc_info=True)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> int:
        """Carries out all that is due; how many clocks this process moved on."""
        now = self._tickets.clock.now()
        async with self._tickets.db.read() as session:
            waiting = (await session.execute(_DUE, {"now": now})).all()
        moved = 0
        for clock_id, ticket_id, next_at in waiting:
            try:
                moved += await self._work(clock_id, ticket_id, next_at)
            except Exception:
                # One clock that fails keeps no other from its alarm.
                log.warning("a clock could not be moved on", clock=str(clock_id), exc_info=True)
        return moved

    async def changed(self, session: AsyncSession) -> None:
        """In the transaction that changes policies or calendars: running clocks follow, whatever becomes of the
        process that was asked."""
        cause = str(new_id())
        await self._tickets.outbox.add(session, APPLY, {"cause": cause, "after": str(FIRST)}, f"{APPLY}:{cause}")

    async def apply(self) -> Applied:
        """After such a change, in the request that made it: the first tickets at once, the rest by the row."""
        tickets = await self._timed(FIRST, TICKETS_AT_ONCE + 1)
        moved = sum([await self._apply_to(ticket_id) for ticket_id in tickets[:TICKETS_AT_ONCE]])
        if len(tickets) > TICKETS_AT_ONCE:
            self._tickets.outbox.wake()
            return Applied(moved, more=True)
        return Applied(moved + await self.talks.apply(), more=False)

    async def carry_on(self, payload: dict[str, Any]) -> None:
        """Outbox: the same for the next tickets, and a row for those behind them. What follows already stays as it
        is, so it may be done twice or be begun anew in the middle."""
        tickets = await self._timed(UUID(payload["after"]), TICKETS_AT_ONCE)
        failed: Exception | None = None
        for ticket_id in tickets:
            try:
                await self._apply_to(ticket_id)
            except Exception as error:
                failed = error  # the others go on
        if len(tickets) == TICKETS_AT_ONCE:
            further = payload | {"after": str(tickets[-1])}
            async with self._tickets.db.write() as session:
                key = f"{APPLY}:{payload['cause']}:{tickets[-1]}"
                await self._tickets.outbox.add(session, APPLY, further, key)
            self._tickets.outbox.wake()
        else:
            await self.talks.apply()
        if failed is not None:
            raise failed

    async def _timed(self, after: UUID, limit: int | None = None) -> list[UUID]:
        """Tickets with running clocks, in the order of their ids."""
        query = (
            select(SlaClock.subject_id)
            .where(SlaClock.state == "running", SlaClock.subject_kind == "ticket", SlaClock.subject_id > after)
            .distinct()
            .order_by(col(SlaClock.subject_id))
            .limit(limit)
        )
        async with self._tickets.db.read() as session:
            return list(await session.exec(query))

    async def _apply_to(self, ticket_id: UUID) -> int:
        moved = 0
        async with self._tickets.db.write() as session:
            ticket = (await session.exec(select(Ticket).where(Ticket.id == ticket_id).with_for_update())).one()
            change = Change(session, ticket, SYSTEM, self._tickets.clock.now())
            for clock in await apply_policies(session, ticket, change.now):
                name = await _name_of(session, clock)
                change.record("clock_applied", metric=clock.metric, policy=name, version=clock.policy_version)
                moved += 1
            held = await self._tickets.show_card(session, ticket, change.now) if change.moved else None
        if change.moved:
            await self._tickets.tell(ticket, held)
        return moved

    async def _work(self, clock_id: UUID, ticket_id: UUID, next_at: datetime | None) -> bool:
        """The version of the ticket stays: an alarm is no reason to refuse the reply that is being written."""
        async with self._tickets.db.write() as session:
            # Ticket before clock, as every change does it; what is being changed comes in the next round.
            locked = select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True)
            ticket = (await session.exec(locked)).first()
            if ticket is None or not await _claim(session, clock_id, next_at):
                return False
            clock = await session.get_one(SlaClock, clock_id)
            change = Change(session, ticket, SYSTEM, self._tickets.clock.now())
            plan = await plan_for(session, ticket, clock)
            if plan is None:
                return True
            fired = set(await fired_alarms(session, clock_id))
            if clock.breach_at is None:
                clock.due_at, clock.breach_at = plan.due_at, plan.breach_at
            for step in plan.due_steps(fired, change.now):
                await _alarm(change, clock, step)
                fired.add(step.alarm.after)
            breached = clock.breached_at is None and is_breached(clock.breach_at, change.now)
            if breached:
                await _breach(change, clock)
            clock.next_at = plan.next_at(fired, breached=clock.breached_at is not None)
        if breached:
            self.breaches[clock.metric,] += 1
        await self._tickets.conversations.nudge("alarm", ticket.number)
        await self._tickets.conversations.nudge("ticket", ticket.number)
        return True


_clocks = table_of(SlaClock)
_DUE = (
    core_select(_clocks.c.id, _clocks.c.subject_id, _clocks.c.next_at)
    .where(_clocks.c.state == "running", _clocks.c.subject_kind == "ticket", _clocks.c.next_at <= bindparam("now"))
    .order_by(_clocks.c.next_at, _clocks.c.id)
    .limit(AT_ONCE)
)


async def _claim(session: AsyncSession, clock_id: UUID, next_at: datetime | None) -> bool:
    clocks = table_of(SlaClock)
    claimed = await session.execute(
        update(clocks)
        .where(clocks.c.id == clock_id, clocks.c.state == "running", clocks.c.next_at == next_at)
        .values(next_at=None)
    )
    return rows_changed(claimed) == 1


async def _alarm(change: Change, clock: SlaClock, step: Step) -> None:
    data: dict[str, Any] = {"step": step.alarm.step, "after": step.alarm.after, "metric": clock.metric}
    match step.alarm.step:
        case "assigned":
            data |= await _assigned(change)
        case "offer":
            pick = await least_loaded(change.session, change.ticket, change.now)
            if pick is not None:
                data |= {"operator": str(pick.operator.id), "name": pick.operator.name, "number": pick.of}
        case _:
            data["name"] = ", ".join(await supervisors(change.session, change.now))
    change.session.add(rung(clock, "alarm", step.alarm.after, data, change.now))
    change.record("alarm", **data)
    log.info("alarm", ticket=change.ticket.number, **data)


async def _assigned(change: Change) -> dict[str, Any]:
    if change.ticket.operator_id is None:
        return {}
    operator = await change.session.get_one(Operator, change.ticket.operator_id)
    if not duty_of(operator).holds(change.now):
        return {"absent": operator.name}
    return {"operator": str(operator.id), "name": operator.name}


async def _breach(change: Change, clock: SlaClock) -> None:
    """Recorded with the instant of the promise, and a reason is asked for."""
    clock.breached_at = clock.breach_at
    cause = await situation(change.session, change.ticket, change.now)
    data = {"metric": clock.metric, "clock": str(clock.id), "cause": cause}
    change.session.add(rung(clock, "breached", clock.instance, data, change.now))
    change.record("breached", **data)
    log.warning("breached", ticket=change.ticket.number, metric=clock.metric)


async def _name_of(session: AsyncSession, clock: SlaClock) -> str:
    policy = await session.get(SlaPolicy, clock.policy_id) if clock.policy_id else None
    return policy.name if policy else ""
