"""What stands in the roster, as `roster` computes with it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.shifts.models import Absence, ShiftRow, ShiftTurn
from escalation.shifts.roster import BEHIND, Roster, Turn
from escalation.sla.calendars import Calendar, Weekly
from escalation.sla.policies import calendar_of
from escalation.sla.policy_tables import CalendarRow


async def rosters(session: AsyncSession, operators: Collection[UUID], now: datetime) -> Mapping[UUID, Roster]:
    """Of each of them; who stands in no shift and is not away has an empty one."""
    shifts = {row.id: row for row in await session.exec(select(ShiftRow))}
    calendars = {row.id: calendar_of(row) for row in await session.exec(select(CalendarRow))}
    turns: dict[UUID, list[Turn]] = {one: [] for one in operators}
    for turn in await session.exec(select(ShiftTurn).where(col(ShiftTurn.operator_id).in_(operators))):
        shift = shift_of(shifts[turn.shift_id], calendars)
        turns[turn.operator_id].append(Turn(shift, turn.first_day, turn.last_day))
    away: dict[UUID, list[tuple[datetime, datetime]]] = {one: [] for one in operators}
    recent = select(Absence).where(col(Absence.operator_id).in_(operators), col(Absence.ends_at) > now - BEHIND)
    for absence in await session.exec(recent.order_by(col(Absence.starts_at))):
        away[absence.operator_id].append((absence.starts_at, absence.ends_at))
    return {one: Roster(tuple(turns[one]), tuple(away[one])) for one in operators}


def shift_of(row: ShiftRow, calendars: Mapping[UUID, Calendar]) -> Calendar:
    own = Calendar(ZoneInfo(row.zone), tuple(Weekly(*weekly) for weekly in row.weekly))
    if row.calendar_id is None:
        return own
    return replace(own, holidays=calendars[row.calendar_id].holidays)
