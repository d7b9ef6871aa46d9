"""The clocks of a ticket: what starts, stops, moves and ends them. Called inside the change of the locked ticket.

`first_reply` runs from creation to the first public message of a human operator and never pauses; `next_reply` from
the first message of the requester in a turn; `update_by` to the time an operator named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from chat.public import Department
from escalation.customers.models import Account
from escalation.models import SlaClock, SlaEvent, Ticket, TicketEvent
from escalation.sla.calendars import FAR, Pause, elapsed
from escalation.sla.policies import (
    FIRST_REPLY,
    NEXT_REPLY,
    SOLVE,
    UPDATE_BY,
    Policy,
    Subject,
    Target,
    current_policies,
    first_fitting,
    policy_by_id,
)
from escalation.sla.ringing import ring_again
from escalation.sla.timing import Plan, is_breached, plan_of

PHONE = "phone"
REPLIES = (FIRST_REPLY, NEXT_REPLY)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A clock that a reply has stopped."""

    metric: str
    seconds: int
    target_seconds: int
    breached: bool
    clock_id: UUID
    instance: int
    untold: bool
    """Breached, and the engine had not looked yet."""


async def start_first_reply(session: AsyncSession, ticket: Ticket) -> None:
    """A ticket that an operator opened on the telephone has been answered already."""
    if ticket.contact_channel != PHONE:
        await _start(session, ticket, FIRST_REPLY, ticket.created_at, [], instance=1)


async def start_next_reply(session: AsyncSession, ticket: Ticket, at: datetime) -> None:
    """By a message of the requester. A second one in the same turn changes nothing, nor does one before the first
    reply: that one is promised already."""
    running = list(await running_clocks(session, ticket.id))
    if not any(clock.metric in REPLIES for clock in running):
        await _start(session, ticket, NEXT_REPLY, at, running)


async def start_update_by(session: AsyncSession, ticket: Ticket, due_at: datetime, now: datetime) -> None:
    """A new statement is itself the update that the one before it promised."""
    running = list(await running_clocks(session, ticket.id))
    await _stop(session, ticket, running, [UPDATE_BY], now)
    # From the whole second, so that whole seconds lead to the very time that was named.
    start = now.replace(microsecond=due_at.microsecond)
    await _start(session, ticket, UPDATE_BY, start, running, int((due_at - start).total_seconds()))


async def stop_by_reply(session: AsyncSession, ticket: Ticket, at: datetime) -> list[Stopped]:
    """A public message of a human operator, in any window."""
    running = await running_clocks(session, ticket.id)
    stopped = await _stop(session, ticket, running, [FIRST_REPLY, NEXT_REPLY, UPDATE_BY], at)
    ticket.first_reply_at = ticket.first_reply_at or at
    return stopped


async def cancel_clocks(session: AsyncSession, ticket: Ticket, at: datetime) -> None:
    """Spam, merged, or solved by the requester: left out of the figures."""
    for clock in await running_clocks(session, ticket.id):
        clock.state, clock.met_at, clock.next_at = "cancelled", at, None
    _show_due(ticket, [])


async def revive_clocks(session: AsyncSession, ticket: Ticket, at: datetime) -> None:
    """Those that were cancelled then run on from where they began, as if nothing had been, and ring for whom they
    rang."""
    found = await session.exec(
        select(SlaClock).where(
            SlaClock.subject_kind == "ticket",
            SlaClock.subject_id == ticket.id,
            SlaClock.state == "cancelled",
            SlaClock.metric != SOLVE,
            SlaClock.met_at == at,
        )
    )
    for clock in found:
        clock.state, clock.met_at = "running", None
        await ring_again(session, clock)
        await _arrange(session, ticket, clock)
    _show_due(ticket, await running_clocks(session, ticket.id))


async def take_over(session: AsyncSession, source: Ticket, target: Ticket, at: datetime) -> None:
    """`source` is merged into `target`, whose promise of a reply counts from the older start of both: the first one or
    the next, it is one word that is waited for."""
    starts = [clock.started_at for clock in await running_clocks(session, source.id) if clock.metric in REPLIES]
    await cancel_clocks(session, source, at)
    running = await running_clocks(session, target.id)
    for clock in running:
        if clock.metric in REPLIES and min(starts, default=clock.started_at) < clock.started_at:
            clock.started_at = min(starts)
            await _arrange(session, target, clock)
    _show_due(target, running)


async def move_clocks(session: AsyncSession, ticket: Ticket) -> None:
    """Priority or department changed: computed again from the original start. What was promised is never put off."""
    fitting = await fitting_policy(session, ticket)
    running = await running_clocks(session, ticket.id)
    for clock in running:
        if fitting is None or clock.metric == UPDATE_BY or clock.metric not in fitting.targets:
            continue
        plan = await _plan_under(session, ticket, clock, fitting)
        if plan.due_at is None or clock.due_at is None or plan.due_at < clock.due_at:
            await _put_under(session, clock, fitting, plan)
    _show_due(ticket, running)


async def pause_clocks(session: AsyncSession, ticket: Ticket) -> None:
    """The state changed: clocks that pause in it have no due meanwhile. `first_reply` is not touched."""
    running = await running_clocks(session, ticket.id)
    for clock in running:
        if clock.metric == NEXT_REPLY:
            await _arrange(session, ticket, clock)
    _show_due(ticket, running)


async def apply_policies(session: AsyncSession, ticket: Ticket, now: datetime) -> list[SlaClock]:
    """A policy or calendar changed: running clocks are computed again; finished ones never, nor those that were
    breached: no later promise keeps one that was broken. Those that moved.

    A clock that has kept an earlier promise of another policy, since the ticket came under a later one, keeps to that
    policy as it stands now."""
    policies = await current_policies(session)
    fitting = await fitting_policy(session, ticket)
    moved = []
    running = await running_clocks(session, ticket.id)
    for clock in running:
        if fitting is None or clock.metric == UPDATE_BY or clock.metric not in fitting.targets:
            continue
        if clock.breached_at is not None:
            continue
        plans = [
            (policy, await _plan_under(session, ticket, clock, policy))
            for policy in (fitting, await _own_policy(session, clock, policies))
            if policy is not None and clock.metric in policy.targets
        ]
        policy, plan = min(
            plans, key=lambda found: (found[1].due_at or FAR, found[0].targets[clock.metric].target_seconds)
        )
        if (plan.due_at, plan.breach_at, policy.id) == (clock.due_at, clock.breach_at, clock.policy_id):
            continue
        n = (await _numbers(session, clock.id, "applied"))[-1:]
        data = {"policy": policy.name, "version": policy.version}
        session.add(
            SlaEvent(id=new_id(), clock_id=clock.id, type="applied", n=(n[0] if n else 0) + 1, data=data, at=now)
        )
        await _put_under(session, clock, policy, plan)
        moved.append(clock)
    _show_due(ticket, running)
    return moved


def _show_due(ticket: Ticket, clocks: Sequence[SlaClock]) -> None:
    """The ticket carries the nearest due of its clocks, so that the queue needs no second table. `clocks`: all that
    run, and perhaps some that have just stopped."""
    promising = [clock for clock in clocks if clock.state == "running" and clock.due_at is not None]
    nearest = min(promising, key=lambda clock: (clock.due_at, clock.metric), default=None)
    ticket.due_at = nearest.due_at if nearest else None
    ticket.due_metric = nearest.metric if nearest else ""


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def running_clocks(session: AsyncSession, ticket_id: UUID) -> Sequence[SlaClock]:
    """Those that promise something."""
    return (await session.exec(_RUNNING, params={"ticket": ticket_id})).all()


_RUNNING = (
    select(SlaClock)
    .where(
        SlaClock.subject_kind == "ticket",
        SlaClock.subject_id == bindparam("ticket"),
        SlaClock.state == "running",
        SlaClock.metric != SOLVE,
    )
    .order_by(col(SlaClock.started_at), col(SlaClock.id))
)


async def fitting_policy(session: AsyncSession, ticket: Ticket) -> Policy | None:
    department = await session.get_one(Department, ticket.department_id)
    tags = await tags_of_account(session, ticket.account_id)
    subject = Subject("ticket", ticket.contact_channel, department.slug, ticket.priority, tags)
    return first_fitting(await current_policies(session), subject)


async def tags_of_account(session: AsyncSession, account_id: UUID | None) -> Sequence[str]:
    account = await session.get(Account, account_id) if account_id is not None else None
    return account.tags if account is not None else ()


async def target_of(session: AsyncSession, ticket: Ticket, clock: SlaClock) -> Target | None:
    """By the version the clock runs under; a clock older than policies takes the one that fits."""
    policy = await policy_by_id(session, clock.policy_id) if clock.policy_id else None
    policy = policy or await fitting_policy(session, ticket)
    target = policy.targets.get(clock.metric) if policy else None
    return _own(target, clock) if target is not None else None


def _own(target: Target, clock: SlaClock) -> Target:
    """The time that an operator named belongs to the clock and not to the policy."""
    if clock.metric != UPDATE_BY:
        return target
    return replace(target, target_seconds=clock.target_seconds, breach_seconds=clock.target_seconds)


async def plan_for(session: AsyncSession, ticket: Ticket, clock: SlaClock) -> Plan | None:
    target = await target_of(session, ticket, clock)
    if target is None:
        return None
    return plan_of(target, clock.started_at, await pauses_of(session, ticket, clock.started_at, target))


async def fired_alarms(session: AsyncSession, clock_id: UUID) -> list[int]:
    return await _numbers(session, clock_id, "alarm")


async def pauses_of(session: AsyncSession, ticket: Ticket, start: datetime, target: Target) -> list[Pause]:
    """The stays in states that pause, from the ticket's own history."""
    if not target.pause_states:
        return []
    events = await session.exec(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket.id, TicketEvent.type == "state", col(TicketEvent.at) >= start)
        .order_by(col(TicketEvent.seq))
    )
    pauses: list[Pause] = []
    since: datetime | None = None
    for event in events:
        if event.data.get("reason") == "spam" or event.data.get("taken_back"):
            continue  # a mistake that was undone: what rested rested on
        if event.data["to"] in target.pause_states:
            since = since or event.at
        elif since is not None:
            pauses += [(since, event.at)] if event.at > since else []
            since = None
    return [*pauses, (since, None)] if since is not None else pauses


# ── one clock ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _start(
    session: AsyncSession,
    ticket: Ticket,
    metric: str,
    at: datetime,
    running: list[SlaClock],
    seconds: int | None = None,
    instance: int | None = None,
) -> None:
    """`running`: the others of the ticket. `seconds`: instead of those of the policy. `instance`: where it is known."""
    policy = await fitting_policy(session, ticket)
    target = policy.targets.get(metric) if policy else None
    if policy is None or target is None:
        return
    counted = select(func.count()).select_from(SlaClock).where(
        SlaClock.subject_kind == "ticket", SlaClock.subject_id == ticket.id, SlaClock.metric == metric
    )  # fmt: skip
    clock = SlaClock(
        id=new_id(),
        subject_kind="ticket",
        subject_id=ticket.id,
        metric=metric,
        instance=(await session.exec(counted)).one() + 1 if instance is None else instance,
        policy_id=policy.id,
        policy_version=policy.version,
        target_seconds=target.target_seconds if seconds is None else seconds,
        started_at=at,
        state="running",
    )
    plan = plan_of(_own(target, clock), at, await pauses_of(session, ticket, at, target))
    clock.due_at, clock.breach_at, clock.next_at = plan.due_at, plan.breach_at, plan.next_at((), breached=False)
    session.add(clock)
    _show_due(ticket, [*running, clock])


async def _stop(
    session: AsyncSession, ticket: Ticket, running: Sequence[SlaClock], metrics: Sequence[str], at: datetime
) -> list[Stopped]:
    stopped = []
    for clock in running:
        if clock.metric not in metrics:
            continue
        target = await target_of(session, ticket, clock)
        clock.state, clock.met_at, clock.next_at = "met", at, None
        clock.elapsed_seconds = max(0, int((at - clock.started_at).total_seconds()))
        if target is not None:
            pauses = await pauses_of(session, ticket, clock.started_at, target)
            clock.elapsed_seconds = elapsed(target.calendar, clock.started_at, at, pauses)
        # A word said in time may be copied only after the worker has looked.
        before, breached = clock.breached_at, is_breached(clock.breach_at, at)
        clock.breached_at = clock.breach_at if breached else None
        stopped.append(
            Stopped(
                clock.metric,
                clock.elapsed_seconds,
                clock.target_seconds,
                breached,
                clock.id,
                clock.instance,
                untold=breached and before is None,
            )
        )
    _show_due(ticket, running)
    return stopped


async def _arrange(session: AsyncSession, ticket: Ticket, clock: SlaClock) -> None:
    plan = await plan_for(session, ticket, clock)
    if plan is not None:
        await _schedule(session, clock, plan)


async def _own_policy(session: AsyncSession, clock: SlaClock, policies: Sequence[Policy]) -> Policy | None:
    """The newest version of the one it runs under."""
    own = await policy_by_id(session, clock.policy_id) if clock.policy_id else None
    return next((policy for policy in policies if own is not None and policy.key == own.key), None)


async def _plan_under(session: AsyncSession, ticket: Ticket, clock: SlaClock, policy: Policy) -> Plan:
    target = policy.targets[clock.metric]
    return plan_of(target, clock.started_at, await pauses_of(session, ticket, clock.started_at, target))


async def _put_under(session: AsyncSession, clock: SlaClock, policy: Policy, plan: Plan) -> None:
    clock.policy_id, clock.policy_version = policy.id, policy.version
    clock.target_seconds = policy.targets[clock.metric].target_seconds
    await _schedule(session, clock, plan)


async def _schedule(session: AsyncSession, clock: SlaClock, plan: Plan) -> None:
    clock.due_at, clock.breach_at = plan.due_at, plan.breach_at
    fired = await fired_alarms(session, clock.id)
    clock.next_at = plan.next_at(fired, breached=clock.breached_at is not None)


async def _numbers(session: AsyncSession, clock_id: UUID, kind: str) -> list[int]:
    found = await session.exec(
        select(SlaEvent.n).where(SlaEvent.clock_id == clock_id, SlaEvent.type == kind).order_by(col(SlaEvent.n))
    )
    return list(found)
