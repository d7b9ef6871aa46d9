"""The picture of a day: who is on duty when, and how many at each hour. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from escalation.shifts.roster import Roster
from escalation.sla.calendars import Interval

WIDTH = 960
"""Of the whole day: 40 for an hour."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of duty: from `x` on, `width` wide, with its words."""

    x: int
    width: int
    text: str


@dataclass(frozen=True, slots=True)
class DayPicture:
    bars: Mapping[UUID, Sequence[Bar]]
    by_hour: Sequence[int]
    now_x: int | None
    """None on another day."""


def picture_of(rosters: Mapping[UUID, Roster], day: Interval, now: datetime, zone: ZoneInfo) -> DayPicture:
    """`day` has 23 hours or 25 where the clock changes."""
    begins, ends = day
    spans = {one: roster.between(begins, ends) for one, roster in rosters.items()}
    hours = (begins + timedelta(hours=hour) for hour in range(int((ends - begins).total_seconds()) // 3600))
    return DayPicture(
        {one: [_bar(span, day, zone) for span in found] for one, found in spans.items()},
        [sum(any(since <= at < until for since, until in found) for found in spans.values()) for at in hours],
        _x(now, day) if begins <= now < ends else None,
    )


def _bar(span: Interval, day: Interval, zone: ZoneInfo) -> Bar:
    since, until = span
    x = _x(max(since, day[0]), day)
    width = _x(min(until, day[1]), day) - x
    return Bar(x, max(width, 2), hours_text(span, zone))


def hours_text(span: Interval, zone: ZoneInfo) -> str:
    """06:00–14:00; what lasts until midnight ends at 24:00."""
    since, until = (at.astimezone(zone) for at in span)
    return f"{since:%H:%M}–{'24:00' if (until.hour, until.minute) == (0, 0) else f'{until:%H:%M}'}"


def _x(at: datetime, day: Interval) -> int:
    return round((at - day[0]) / (day[1] - day[0]) * WIDTH)
