"""The clocks of conversations: first and next reply, with the same steps as those of tickets.

Most answers come at once, so a clock is written only when half of its promise is used up: a word said in a
conversation costs nothing here. What a conversation says and who answers is read from its own rows; where a ticket
holds it, the ticket's clocks count.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import and_, bindparam, exists, func, or_, update
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import rows_changed, table_of
from chat.ids import new_id
from chat.public import Conversation, Department, Operator, Said, duty_of, said_in
from chat.tally import Counts
from escalation.models import SlaClock, SlaEvent, TicketConversation
from escalation.sla.crew import least_loaded, situation, supervisors
from escalation.sla.policies import (
    FIRST_REPLY,
    NEXT_REPLY,
    Policy,
    Subject,
    first_fitting,
    policies_in,
    policies_of,
    policy_by_id,
)
from escalation.sla.ringing import rung
from escalation.sla.timing import Plan, Step, is_breached, plan_of
from escalation.sla.words import alarm_text, breach_text

if TYPE_CHECKING:
    from escalation.actions import Tickets

AT_ONCE = 200
TALK = "conversation"
OPEN = ("waiting", "offered", "active")

log = structlog.get_logger(__name__)


class TalkClocks:
    """Any number may run: the locked conversation, and what is unique, judge."""

    def __init__(self, tickets: "Tickets", breaches: Counts) -> None:
        self._tickets = tickets
        self._breaches = breaches

    async def round(self) -> int:
        """Starts, stops and moves on what is due; how many clocks this process touched."""
        now = self._tickets.clock.now()
        async with self._tickets.db.read() as session:
            policies = await policies_of(session)
            waiting = await _who_wait(session, policies, now)
            due = await _due(session, now)
        if not policies:
            policies = await policies_in(self._tickets.db)  # ships the first ones
            async with self._tickets.db.read() as session:
                waiting = await _who_wait(session, policies, now)
        touched = 0
        for conversation_id in waiting:
            try:
                touched += await self._start(conversation_id, policies, now)
            except Exception:
                log.warning("a clock could not be started", conversation=str(conversation_id), exc_info=True)
        if touched:
            # Of what has waited long a step may be due at once.
            async with self._tickets.db.read() as session:
                due = await _due(session, now)
        for clock_id, conversation_id, next_at in due:
            try:
                touched += await self._work(clock_id, conversation_id, next_at, now)
            except Exception:
                # One clock that fails keeps no other from its alarm.
                log.warning("a clock could not be moved on", clock=str(clock_id), exc_info=True)
        return touched

    async def apply(self) -> int:
        """After a change of policies: running clocks are computed again, unless they were breached."""
        now = self._tickets.clock.now()
        policies = await policies_in(self._tickets.db)
        async with self._tickets.db.read() as session:
            running = select(SlaClock.id, SlaClock.subject_id).where(
                SlaClock.subject_kind == TALK, SlaClock.state == "running"
            )
            found = list(await session.exec(running))
        return sum([await self._apply(clock_id, conversation_id, policies, now) for clock_id, conversation_id in found])

    async def explain(self, clock_id: UUID, operator: Operator, reason: str) -> None:
        """Why a conversation was answered too late, in the operator's words; the same words twice are one remark."""
        async with self._tickets.db.write() as session:
            clock = (await session.exec(select(SlaClock).where(SlaClock.id == clock_id).with_for_update())).one()
            if clock.breached_at is None or clock.reason == reason:
                return
            clock.reason = reason
            texts = {
                code: c.gettext("Why it was late: %(reason)s") % {"reason": reason} for code, c in self._languages()
            }
            await self._remark(
                session, clock.subject_id, {code: f"{operator.name}: {text}" for code, text in texts.items()}
            )
            conversation_id = clock.subject_id
        await self._tickets.conversations.announce(conversation_id)
        await self._tickets.conversations.nudge("alarm", str(conversation_id))

    # ── one ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, conversation_id: UUID, policies: Sequence[Policy], now: datetime) -> bool:
        async with self._tickets.db.write() as session:
            talk = await _locked(session, conversation_id)
            if talk is None or talk.state not in OPEN:
                return False
            said = await said_in(session, conversation_id)
            since = turn_began(said)
            policy = await _fitting(session, talk, policies)
            metric = NEXT_REPLY if talk.first_reply_at else FIRST_REPLY
            if since is None or policy is None or metric not in policy.targets:
                return False
            before = list(
                await session.exec(
                    select(SlaClock).where(
                        SlaClock.subject_kind == TALK, SlaClock.subject_id == conversation_id,
                        SlaClock.metric == metric,
                    )
                )
            )  # fmt: skip
            if any(clock.state == "running" or clock.started_at == since for clock in before):
                return False
            target = policy.targets[metric]
            plan = plan_of(target, since)
            session.add(
                SlaClock(
                    id=new_id(),
                    subject_kind=TALK,
                    subject_id=conversation_id,
                    metric=metric,
                    instance=len(before) + 1,
                    policy_id=policy.id,
                    policy_version=policy.version,
                    target_seconds=target.target_seconds,
                    started_at=since,
                    due_at=plan.due_at,
                    breach_at=plan.breach_at,
                    next_at=plan.next_at((), breached=False),
                    state="running",
                )
            )
        return True

    async def _work(self, clock_id: UUID, conversation_id: UUID, next_at: datetime | None, now: datetime) -> bool:
        rang = False
        async with self._tickets.db.write() as session:
            talk = await _locked(session, conversation_id)
            clock = await session.get(SlaClock, clock_id, populate_existing=True)
            if talk is None or clock is None or clock.state != "running":
                return False
            reply = reply_after(await said_in(session, conversation_id), clock.started_at)
            if reply is not None:
                clock.state, clock.met_at, clock.next_at = "met", reply, None
                clock.elapsed_seconds = int((reply - clock.started_at).total_seconds())
                told, breached = clock.breached_at is not None, is_breached(clock.breach_at, reply)
                clock.breached_at = clock.breach_at if breached else None
                if breached and not told:
                    await self._breach(session, talk, clock, now)
                    rang = True
            elif talk.state not in OPEN or await _has_ticket(session, conversation_id):
                # Nobody waits here any more: it has ended, or a ticket promises now.
                clock.state, clock.met_at, clock.next_at = "cancelled", now, None
            elif next_at is not None and next_at <= now and await _claim(session, clock_id, next_at):
                rang = await self._steps(session, talk, clock, now)
            else:
                return False
        if rang:
            await self._tickets.conversations.announce(conversation_id)
        await self._tickets.conversations.nudge("alarm", str(conversation_id))
        return True

    async def _steps(self, session: AsyncSession, talk: Conversation, clock: SlaClock, now: datetime) -> bool:
        plan = await _plan_of(session, clock)
        if plan is None:
            return False
        fired = set(
            await session.exec(select(SlaEvent.n).where(SlaEvent.clock_id == clock.id, SlaEvent.type == "alarm"))
        )
        rang = False
        for step in plan.due_steps(fired, now):
            data = await self._alarm(session, talk, step, clock, now)
            self._add(session, clock, "alarm", step.alarm.after, data, now)
            await self._remark(session, talk.id, {code: alarm_text(data, c) for code, c in self._languages()})
            fired.add(step.alarm.after)
            rang = True
        if clock.breached_at is None and is_breached(clock.breach_at, now):
            clock.breached_at = clock.breach_at
            await self._breach(session, talk, clock, now)
            rang = True
        clock.next_at = plan.next_at(fired, breached=clock.breached_at is not None)
        return rang

    async def _breach(self, session: AsyncSession, talk: Conversation, clock: SlaClock, now: datetime) -> None:
        data = {"metric": clock.metric, "cause": await situation(session, talk, now)}
        self._add(session, clock, "breached", clock.instance, data, now)
        await self._remark(session, talk.id, {code: breach_text(data, c) for code, c in self._languages()})
        self._breaches[clock.metric,] += 1

    async def _alarm(
        self, session: AsyncSession, talk: Conversation, step: Step, clock: SlaClock, now: datetime
    ) -> dict[str, Any]:
        data: dict[str, Any] = {
            "step": step.alarm.step, "after": step.alarm.after, "metric": clock.metric, "talk": True,
        }  # fmt: skip
        match step.alarm.step:
            case "assigned" if talk.operator_id is not None and talk.state == "active":
                holder = await session.get_one(Operator, talk.operator_id)
                if not duty_of(holder).holds(now):
                    return data | {"absent": holder.name}
                return data | {"operator": str(holder.id), "name": holder.name}
            case "assigned":
                return data
            case "offer":
                pick = await least_loaded(session, talk, now)
                if pick is None:
                    return data
                return data | {"operator": str(pick.operator.id), "name": pick.operator.name, "number": pick.of}
            case _:
                return data | {"name": ", ".join(await supervisors(session, now))}

    async def _apply(self, clock_id: UUID, conversation_id: UUID, policies: Sequence[Policy], now: datetime) -> bool:
        async with self._tickets.db.write() as session:
            talk = await _locked(session, conversation_id, wait=True)
            clock = await session.get(SlaClock, clock_id, populate_existing=True)
            if talk is None or clock is None or clock.state != "running" or clock.breached_at is not None:
                return False
            policy = await _fitting(session, talk, policies)
            if policy is None or clock.metric not in policy.targets:
                return False
            plan = plan_of(policy.targets[clock.metric], clock.started_at)
            if (plan.due_at, plan.breach_at, policy.id) == (clock.due_at, clock.breach_at, clock.policy_id):
                return False
            events = select(SlaEvent.type, SlaEvent.n).where(SlaEvent.clock_id == clock.id)
            happened = list(await session.exec(events))
            applied = max((n for kind, n in happened if kind == "applied"), default=0)
            data = {"policy": policy.name, "version": policy.version}
            self._add(session, clock, "applied", applied + 1, data, now)
            clock.policy_id, clock.policy_version = policy.id, policy.version
            clock.target_seconds = policy.targets[clock.metric].target_seconds
            clock.due_at, clock.breach_at = plan.due_at, plan.breach_at
            fired = [n for kind, n in happened if kind == "alarm"]
            clock.next_at = plan.next_at(fired, breached=clock.breached_at is not None)
            said = "Policy “%(policy)s” changed to version %(version)s: the due was computed again"
            await self._remark(session, talk.id, {code: c.gettext(said) % data for code, c in self._languages()})
        await self._tickets.conversations.announce(conversation_id)
        return True

    def _add(
        self, session: AsyncSession, clock: SlaClock, kind: str, n: int, data: dict[str, Any], now: datetime
    ) -> None:
        if kind == "applied":
            session.add(SlaEvent(id=new_id(), clock_id=clock.id, type=kind, n=n, data=data, at=now))
        else:
            session.add(rung(clock, kind, n, data, now))
        log.info(kind, conversation=str(clock.subject_id), metric=clock.metric, step=data.get("step", ""))

    async def _remark(self, session: AsyncSession, conversation_id: UUID, texts: dict[str, str]) -> None:
        await self._tickets.conversations.append_remark(session, conversation_id, texts)

    def _languages(self) -> list[tuple[str, Any]]:
        return [(code, self._tickets.strings.catalogue(code)) for code in self._tickets.strings.locales]


# ── which ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _who_wait(session: AsyncSession, policies: Sequence[Policy], now: datetime) -> list[UUID]:
    promised = [
        policy.targets[metric].target_seconds
        for policy in policies
        for metric in (FIRST_REPLY, NEXT_REPLY)
        if TALK in policy.match.get("subject_kind", [TALK]) and metric in policy.targets
    ]
    if not promised:
        return []
    since = now - timedelta(seconds=min(promised) / 2)
    return list((await session.execute(_UNPROMISED, {"since": since})).scalars())


async def _due(session: AsyncSession, now: datetime) -> Sequence[tuple[UUID, UUID, datetime | None]]:
    """Whose step has come, and those whose conversation went on."""
    return (await session.execute(_DUE, {"now": now})).all()


# They are executed every few seconds.
_talks, _clocks, _ties = table_of(Conversation), table_of(SlaClock), table_of(TicketConversation)
_HELD_BY_A_TICKET = exists().where(_ties.c.conversation_id == _talks.c.id, _ties.c.released_at.is_(None))
_UNPROMISED = (
    core_select(_talks.c.id)
    .where(
        _talks.c.state.in_(OPEN),
        _talks.c.waiting_since <= bindparam("since"),
        _talks.c.last_message_by == "visitor",
        ~_HELD_BY_A_TICKET,
        ~exists().where(
            _clocks.c.subject_kind == TALK, _clocks.c.subject_id == _talks.c.id, _clocks.c.state == "running"
        ),
    )
    .order_by(_talks.c.waiting_since)
    .limit(AT_ONCE)
)
_WENT_ON = or_(
    _talks.c.waiting_since.is_(None),
    _talks.c.state.not_in(OPEN),
    _talks.c.last_message_by != "visitor",
    and_(_clocks.c.metric == FIRST_REPLY, _talks.c.first_reply_at.is_not(None)),
    and_(_clocks.c.metric == NEXT_REPLY, _talks.c.waiting_since > _clocks.c.started_at),
    _HELD_BY_A_TICKET,
)
_DUE = (
    core_select(_clocks.c.id, _clocks.c.subject_id, _clocks.c.next_at)
    .join(_talks, _talks.c.id == _clocks.c.subject_id)
    .where(
        _clocks.c.subject_kind == TALK,
        _clocks.c.state == "running",
        or_(_clocks.c.next_at <= bindparam("now"), _WENT_ON),
    )
    .order_by(_clocks.c.next_at, _clocks.c.id)
    .limit(AT_ONCE)
)


# ── of one conversation ──────────────────────────────────────────────────────────────────────────────────────────────


def turn_began(said: Sequence[Said]) -> datetime | None:
    """The first word of the visitor that no operator has answered; None where we spoke last. What was said before
    the conversation ended and was opened again is not waited for any more."""
    began: datetime | None = None
    for one in said:
        if one.by == "visitor" and one.kind == "message":
            began = began or one.at
        elif (one.by == "operator" and one.kind == "message") or one.event == "reopened":
            began = None
    return began


def reply_after(said: Sequence[Said], since: datetime) -> datetime | None:
    """The first word of an operator from then on."""
    return next((one.at for one in said if one.by == "operator" and one.kind == "message" and one.at >= since), None)


async def _locked(session: AsyncSession, conversation_id: UUID, *, wait: bool = False) -> Conversation | None:
    """What another process is changing comes in the next round."""
    query = select(Conversation).where(Conversation.id == conversation_id).with_for_update(skip_locked=not wait)
    return (await session.exec(query.execution_options(populate_existing=True))).first()


async def _claim(session: AsyncSession, clock_id: UUID, next_at: datetime | None) -> bool:
    if next_at is None:
        return False
    clocks = table_of(SlaClock)
    claimed = await session.execute(
        update(clocks)
        .where(clocks.c.id == clock_id, clocks.c.state == "running", clocks.c.next_at == next_at)
        .values(next_at=None)
    )
    return rows_changed(claimed) == 1


async def _fitting(session: AsyncSession, talk: Conversation, policies: Sequence[Policy]) -> Policy | None:
    department = await session.get_one(Department, talk.department_id)
    return first_fitting(policies, Subject(TALK, "chat", department.slug, talk.priority))


async def _plan_of(session: AsyncSession, clock: SlaClock) -> Plan | None:
    policy = await policy_by_id(session, clock.policy_id) if clock.policy_id is not None else None
    target = policy.targets.get(clock.metric) if policy else None
    return plan_of(target, clock.started_at) if target else None


async def _has_ticket(session: AsyncSession, conversation_id: UUID) -> bool:
    held = select(func.count()).select_from(TicketConversation).where(
        TicketConversation.conversation_id == conversation_id, col(TicketConversation.released_at).is_(None)
    )  # fmt: skip
    return bool((await session.exec(held)).one())
