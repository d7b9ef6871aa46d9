"""Tables of what is promised: calendars, and policies with their targets. Their clocks are in `escalation.models`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class CalendarRow(Row, table=True):
    """Working time as an administrator writes it; `escalation.sla.calendars` computes with it."""

    __tablename__ = "calendar"
    id: UUID = Field(primary_key=True)
    name: str = Field(max_length=120)
    zone: str = Field(max_length=64)
    weekly: list[list[int]] = Field(sa_column=Column(JSON, nullable=False))
    """[day, opens, closes]: Monday is 0, minutes after midnight."""
    holidays: list[str] = Field(sa_column=Column(JSON, nullable=False))
    always: bool = False


class SlaPolicy(Row, table=True):
    """One version of a policy, never changed: a change retires the row and adds the next. The first current one in
    order whose match holds is applied."""

    __tablename__ = "sla_policy"
    __table_args__ = (UniqueConstraint("key", "version"),)
    id: UUID = Field(primary_key=True)
    key: str = Field(max_length=40)
    """The same for all versions of one policy."""
    version: int = 1
    position: int = 0
    name: str = Field(max_length=120)
    match: dict[str, list[Any]] = Field(sa_column=Column(JSON, nullable=False))
    """subject_kind, contact_channel, department, priority: each a list of what fits; what is left out fits all."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    retired_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class SlaTarget(Row, table=True):
    """What a version of a policy promises for one metric."""

    __tablename__ = "sla_target"
    __table_args__ = (UniqueConstraint("policy_id", "metric"),)
    id: UUID = Field(primary_key=True)
    policy_id: UUID = Field(foreign_key="sla_policy.id")
    metric: str = Field(max_length=12)
    target_seconds: int
    breach_seconds: int
    """Not before the target; later only where the promise is a span, as for mail."""
    alarms: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    """[{after, step}] in seconds of working time; a negative one is counted back from the due."""
    calendar_id: UUID = Field(foreign_key="calendar.id")
    pause_states: list[str] = Field(sa_column=Column(JSON, nullable=False))
