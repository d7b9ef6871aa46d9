"""Policies: what is promised to whom, by data. Versions are never changed; clocks remember theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import Database, table_of
from chat.ids import new_id
from escalation.models import CalendarRow, SlaPolicy, SlaTarget
from escalation.sla.calendars import Calendar, Weekly

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


async def current_policies(session: AsyncSession) -> list[Policy]:
    """In order. The shipped ones are written at first use: the session must be one that writes."""
    found = await _read(session, col(SlaPolicy.retired_at).is_(None))
    if found:
        return found
    await ship(session)
    return await _read(session, col(SlaPolicy.retired_at).is_(None))


async def policies_in(db: Database) -> list[Policy]:
    """For those who only read."""
    async with db.read() as session:
        found = await _read(session, col(SlaPolicy.retired_at).is_(None))
    if found:
        return found
    async with db.write() as session:
        return await current_policies(session)


async def policy_by_id(session: AsyncSession, policy_id: UUID) -> Policy | None:
    found = await _read(session, col(SlaPolicy.id) == policy_id)
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
    return policy


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _read(session: AsyncSession, which: Any) -> list[Policy]:
    rows = (
        await session.exec(select(SlaPolicy).where(which).order_by(col(SlaPolicy.position), col(SlaPolicy.id)))
    ).all()
    if not rows:
        return []
    targets = await session.exec(select(SlaTarget).where(col(SlaTarget.policy_id).in_([row.id for row in rows])))
    calendars = {row.id: calendar_of(row) for row in await session.exec(select(CalendarRow))}
    of_policy: dict[UUID, dict[str, Target]] = {row.id: {} for row in rows}
    for target in targets:
        of_policy[target.policy_id][target.metric] = Target(
            target.metric,
            target.target_seconds,
            target.breach_seconds,
            tuple(Alarm(alarm["after"], alarm["step"]) for alarm in target.alarms),
            calendars[target.calendar_id],
            tuple(target.pause_states),
            target.calendar_id,
        )
    return [Policy(row.id, row.key, row.version, row.position, row.name, row.match, of_policy[row.id]) for row in rows]


def calendar_of(row: CalendarRow) -> Calendar:
    return Calendar(
        ZoneInfo(row.zone),
        tuple(Weekly(*weekly) for weekly in row.weekly),
        frozenset(date.fromisoformat(day) for day in row.holidays),
        row.always,
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
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert

    async def put(model: Any, **values: Any) -> None:
        await session.execute(insert(table_of(model)).values(**values).on_conflict_do_nothing())

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
