"""Tables of the roster: shifts, who works in them, and who is away."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import JSON, Column
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class ShiftRow(Row, table=True):
    """A span of the week in a zone of its own. Shifts may overlap; one may end on the next day."""

    __tablename__ = "shift"
    id: UUID = Field(primary_key=True)
    name: str = Field(max_length=80)
    zone: str = Field(max_length=64)
    weekly: list[list[int]] = Field(sa_column=Column(JSON, nullable=False))
    """[day, opens, closes]: Monday is 0, minutes after midnight; a close at or before the opening is the next day's."""
    calendar_id: UUID | None = Field(default=None, foreign_key="calendar.id")
    """Whose holidays nobody works in this shift."""
    position: int = 0
    created_at: datetime = Field(sa_type=UTCDateTime)


class ShiftTurn(Row, table=True):
    """An operator works in a shift, from the first day to the last: the days on which it opens."""

    __tablename__ = "shift_turn"
    id: UUID = Field(primary_key=True)
    shift_id: UUID = Field(foreign_key="shift.id", index=True)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    first_day: date
    last_day: date | None = None


class Absence(Row, table=True):
    """An operator is away, whatever shift they are in."""

    __tablename__ = "absence"
    id: UUID = Field(primary_key=True)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime)
    kind: str = Field(max_length=12)  # leave, sick, training, other
    created_by: UUID | None = Field(default=None, foreign_key="operator.id")
    created_at: datetime = Field(sa_type=UTCDateTime)
