"""Who is on duty now, who comes next, and when somebody works: for operators, who read and change nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Department, Operator, OperatorDepartment, duty_of
from escalation.directory import ROLES
from escalation.shifts.models import Absence
from escalation.shifts.roster import Roster
from escalation.shifts.store import rosters
from escalation.sla.calendars import Interval

SOON = timedelta(hours=24)
"""Who comes next comes within it."""
MINE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class OnDuty:
    """`until`: None of who stands in no shift, and is on duty whenever they are here; and of who never goes home."""

    operator: Operator
    departments: Sequence[Mapping[str, str]]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Coming:
    operator: Operator
    departments: Sequence[Mapping[str, str]]
    span: Interval


@dataclass(frozen=True, slots=True)
class Board:
    people: Sequence[Operator]
    now: Sequence[OnDuty]
    next: Sequence[Coming]
    mine: Sequence[Interval]
    away: Sequence[Absence]
    """Of the reader: of others it is nobody's business why they are away."""
    in_shifts: bool
    """Whether the reader stands in any shift."""
    rosters: Mapping[UUID, Roster]


async def board(session: AsyncSession, reader: Operator, now: datetime, since: datetime) -> Board:
    """`since`: the beginning of the day that is drawn."""
    query = select(Operator).where(col(Operator.active).is_(True), col(Operator.role).in_(ROLES))
    people = (await session.exec(query.order_by(col(Operator.name), col(Operator.id)))).all()
    found = await rosters(session, [one.id for one in people], min(now, since))
    names = await _departments(session)
    on_duty, coming = [], []
    for one in people:
        theirs, departments = found[one.id], names.get(one.id, ())
        holds = duty_of(one).holds(now)
        if holds and (theirs.turns or one.present):
            until = one.duty_until if theirs.turns else None
            on_duty.append(OnDuty(one, departments, until if until and until < now + MINE else None))
        later = [span for span in theirs.between(now, now + SOON) if span[0] > now]
        if later:
            coming.append(Coming(one, departments, later[0]))
    away = select(Absence).where(Absence.operator_id == reader.id, col(Absence.ends_at) > now)
    mine = found.get(reader.id, Roster())
    return Board(
        people,
        sorted(on_duty, key=lambda one: (one.until is None, one.until or now, one.operator.name)),
        sorted(coming, key=lambda one: (one.span, one.operator.name)),
        mine.between(now, now + MINE),
        (await session.exec(away.order_by(col(Absence.starts_at), col(Absence.id)))).all(),
        bool(mine.turns),
        found,
    )


async def _departments(session: AsyncSession) -> dict[UUID, list[Mapping[str, str]]]:
    found: dict[UUID, list[Mapping[str, str]]] = {}
    members = await session.exec(
        select(OperatorDepartment.operator_id, Department.names)
        .join(Department, col(Department.id) == col(OperatorDepartment.department_id))
        .order_by(col(Department.position), col(Department.slug))
    )
    for operator_id, names in members:
        found.setdefault(operator_id, []).append(names)
    return found
