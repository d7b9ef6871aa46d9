"""Policies: what is promised to whom, by data. Versions are never changed; clocks remember theirs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Text, bindparam, cast, update
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import Database, insert_for, table_of
from chat.ids import new_id
from escalation.sla.calendars import Calendar, Weekly
from escalation.sla.policy_tables import CalendarRow, SlaPolicy, SlaTarget

FIRST_REPLY, NEXT_REPLY, UPDATE_BY, SOLVE = "first_reply", "next_reply", "update_by", "solve"
ACCOUNT_TAGS = "account_tags"
"""Of a match, in small letters: one of them is enough."""
WAITING = ("waiting_customer", "waiting_third_party")


@dataclass(frozen=True, slots=True)
class Alarm:
    """`step`: assigned, offer, supervisor. `after` in seconds of working time; negative: before the due."""

    after: int
    step: str


@dataclass(frozen=True, slots=True)
class Target:
    metric: str
    target_seconds: int
    breach_seconds: int
    alarms: tuple[Alarm, ...]
    calendar: Calendar
    pause_states: tuple[str, ...] = ()
    calendar_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy is chosen by."""

    kind: str
    contact_channel: str
    department: str
    priority: int
    account_tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    id: UUID
    key: str
    version: int
    position: int
    name: str
    match: dict[str, list[Any]] = field(hash=False)
    targets: dict[str, Target] = field(hash=False)

    def fits(self, subject: Subject) -> bool:
        values = {
            "subject_kind": subject.kind,
            "contact_channel": subject.contact_channel,
            "department": subject.department,
            "priority": subject.priority,
        }
        tags = {tag.casefold() for tag in subject.account_tags}
        return all(
            not tags.isdisjoint(allowed) if name == ACCOUNT_TAGS else values.get(name) in allowed
            for name, allowed in self.match.items()
        )


def first_fitting(policies: Sequence[Policy], subject: Subject) -> Policy | None:
    return next((policy for policy in policies if policy.fits(subject)), None)


async def current_policies(session: AsyncSession) -> Sequence[Policy]:
    """In order. The shipped ones are written at first use: the session must be one that writes."""
    found = await _current(session)
    if found:
        return found
    await ship(session)
    return await _current(session)


async def policies_of(session: AsyncSession) -> Sequence[Policy]:
    """For those who only read: none before the shipped ones are written."""
    return await _current(session)


async def policies_in(db: Database) -> Sequence[Policy]:
    """For those who only read, and have no transaction."""
    async with db.read() as session:
        found = await _current(session)
    if found:
        return found
    async with db.write() as session:
        return await current_policies(session)


async def policy_by_id(session: AsyncSession, policy_id: UUID) -> Policy | None:
    for policy in await _current(session):
        if policy.id == policy_id:
            return policy
    found = await _read(session, _ONE, policy=policy_id)
    return found[0] if found else None


async def publish(session: AsyncSession, changed: Policy, now: datetime) -> Policy:
    """The next version of a policy, with the values of `changed`. Running clocks follow by `applying`."""
    policies = table_of(SlaPolicy)
    versions = await session.exec(
        select(SlaPolicy.version).where(SlaPolicy.key == changed.key).order_by(col(SlaPolicy.version).desc()).limit(1)
    )
    await session.execute(
        update(policies).where(policies.c.key == changed.key, policies.c.retired_at.is_(None)).values(retired_at=now)
    )
    policy = replace(changed, id=new_id(), version=(versions.first() or 0) + 1)
    session.add(
        SlaPolicy(
            id=policy.id,
            key=policy.key,
            version=policy.version,
            position=policy.position,
            name=policy.name,
            match=policy.match,
            created_at=now,
        )
    )
    await session.flush()
    for target in policy.targets.values():
        session.add(
            SlaTarget(
                id=new_id(),
                policy_id=policy.id,
                metric=target.metric,
                target_seconds=target.target_seconds,
                breach_seconds=target.breach_seconds,
                alarms=[{"after": alarm.after, "step": alarm.step} for alarm in target.alarms],
                calendar_id=target.calendar_id or ALWAYS,
                pause_states=list(target.pause_states),
            )
        )
    await session.flush()
    session.info.pop(_CURRENT, None)
    return policy


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


_CURRENT = "current policies"


async def _current(session: AsyncSession) -> Sequence[Policy]:
    """Read once in a transaction: each of its clocks asks for them."""
    found: Sequence[Policy] | None = session.info.get(_CURRENT)
    if found is None:
        found = session.info[_CURRENT] = await _read(session, _THOSE_IN_FORCE)
    return found


async def _read(session: AsyncSession, statement: Select[Any], **values: UUID) -> Sequence[Policy]:
    return _policies(tuple(tuple(row) for row in await session.execute(statement, values)))


_rows, _targets, _calendars = table_of(SlaPolicy), table_of(SlaTarget), table_of(CalendarRow)
_ALL = (
    core_select(
        *(_rows.c.id, _rows.c.key, _rows.c.version, _rows.c.position, _rows.c.name, cast(_rows.c.match, Text)),
        *(_targets.c.metric, _targets.c.target_seconds, _targets.c.breach_seconds, cast(_targets.c.alarms, Text)),
        *(_targets.c.calendar_id, cast(_targets.c.pause_states, Text)),
        *(_calendars.c.zone, cast(_calendars.c.weekly, Text), cast(_calendars.c.holidays, Text), _calendars.c.always),
    )
    .outerjoin(_targets, _targets.c.policy_id == _rows.c.id)
    .outerjoin(_calendars, _calendars.c.id == _targets.c.calendar_id)
    .order_by(_rows.c.position, _rows.c.id, _targets.c.metric)
)
_THOSE_IN_FORCE = _ALL.where(_rows.c.retired_at.is_(None))
_ONE = _ALL.where(_rows.c.id == bindparam("policy"))


@lru_cache(maxsize=64)
def _policies(rows: tuple[tuple[Any, ...], ...]) -> tuple[Policy, ...]:
    """Of rows as they were read: what has not changed is not computed again. Nobody changes a policy in place."""
    found: list[Policy] = []
    for id_, key, version, position, name, match, metric, seconds, breach, alarms, calendar_id, pauses, *hours in rows:
        if not found or found[-1].id != id_:
            found.append(Policy(id_, key, version, position, name, json.loads(match), {}))
        if metric is not None:
            steps = tuple(Alarm(alarm["after"], alarm["step"]) for alarm in json.loads(alarms))
            zone, weekly, holidays, always = hours
            calendar = _calendar(zone, json.loads(weekly), json.loads(holidays), always)
            found[-1].targets[metric] = Target(
                metric, seconds, breach, steps, calendar, tuple(json.loads(pauses)), calendar_id
            )
    return tuple(found)


def calendar_of(row: CalendarRow) -> Calendar:
    return _calendar(row.zone, row.weekly, row.holidays, row.always)


def _calendar(zone: str, weekly: Sequence[Sequence[int]], holidays: Sequence[str], always: bool) -> Calendar:
    return Calendar(
        ZoneInfo(zone),
        tuple(Weekly(*hours) for hours in weekly),
        frozenset(date.fromisoformat(day) for day in holidays),
        always,
    )


# ── shipped ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shipped_id(name: str) -> UUID:
    """The same in every process, so that two that ship at once write the same rows."""
    return uuid5(NAMESPACE_URL, f"nightdesk:sla:{name}")


ALWAYS = _shipped_id("calendar:always")
_TEN_MINUTES = [
    {"after": 300, "step": "assigned"},
    {"after": 480, "step": "offer"},
    {"after": 540, "step": "supervisor"},
]
_MAIL_ALARMS = [{"after": 600, "step": "assigned"}, {"after": 900, "step": "supervisor"}]
_UPDATE_ALARMS = [{"after": -120, "step": "assigned"}]
_SHIPPED: list[tuple[str, dict[str, list[Any]], int, int, list[dict[str, Any]]]] = [
    ("chat", {"subject_kind": ["conversation"]}, 60, 600, _TEN_MINUTES),
    ("mail", {"contact_channel": ["mail"]}, 900, 1800, _MAIL_ALARMS),
    ("tickets", {"priority": [0, 1]}, 600, 600, _TEN_MINUTES),
]
_NAMES = {"chat": "Live chat", "mail": "E-mail", "tickets": "Tickets"}


async def ship(session: AsyncSession) -> None:
    """What the product promises before anybody changes it."""
    insert = insert_for(session)

    async def put(model: Any, **values: Any) -> None:
        await session.execute(insert(table_of(model)).values(**values).on_conflict_do_nothing())

    session.info.pop(_CURRENT, None)
    await put(CalendarRow, id=ALWAYS, name="24/7", zone="UTC", weekly=[], holidays=[], always=True)
    for position, (key, match, target, breach, alarms) in enumerate(_SHIPPED):
        policy_id = _shipped_id(key)
        await put(
            SlaPolicy, id=policy_id, key=key, version=1, position=position, name=_NAMES[key], match=match,
            created_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
        )  # fmt: skip
        metrics: list[tuple[str, int, int, list[dict[str, Any]], list[str]]] = [
            (FIRST_REPLY, target, breach, alarms, [])
        ]
        pausing = [] if key == "chat" else list(WAITING)
        metrics.append((NEXT_REPLY, target, breach, alarms, pausing))
        if key != "chat":
            metrics.append((UPDATE_BY, 0, 0, _UPDATE_ALARMS, []))
        for metric, seconds, breached, steps, pauses in metrics:
            await put(
                SlaTarget, id=_shipped_id(f"{key}:{metric}"), policy_id=policy_id, metric=metric,
                target_seconds=seconds, breach_seconds=breached, alarms=steps, calendar_id=ALWAYS, pause_states=pauses,
            )  # fmt: skip
