"""Shifts, turns and absences in a few words."""

from datetime import date, datetime
from uuid import UUID

from chat.db import Database
from chat.ids import new_id
from chat.people.models import Operator
from escalation.shifts.models import Absence, ShiftRow, ShiftTurn
from tests.support.clock import FakeClock


async def add_shift(
    db: Database, clock: FakeClock, name: str, opens: int, closes: int, *people: Operator, zone: str = "UTC"
) -> UUID:
    """Every day from `opens` to `closes` o'clock; these people work in it from today on."""
    shift_id = new_id()
    weekly = [[day, opens * 60, closes * 60] for day in range(7)]
    async with db.write() as session:
        session.add(ShiftRow(id=shift_id, name=name, zone=zone, weekly=weekly, created_at=clock.now()))
        await session.flush()
        for operator in people:
            first = date.min.replace(year=2020)
            session.add(ShiftTurn(id=new_id(), shift_id=shift_id, operator_id=operator.id, first_day=first))
    return shift_id


async def add_absence(db: Database, operator: Operator, starts_at: datetime, ends_at: datetime) -> None:
    async with db.write() as session:
        session.add(
            Absence(
                id=new_id(), operator_id=operator.id, starts_at=starts_at, ends_at=ends_at, kind="leave",
                created_at=starts_at,
            )
        )  # fmt: skip
