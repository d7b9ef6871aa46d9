"""Hours, days and times as administrators write them. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from escalation.sla.calendars import DAY, instant

_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?")


class Unreadable(ValueError):
    """The text is none of these; it is the argument."""


@cache
def zones() -> tuple[str, ...]:
    """Those that people know: an area and a place, and UTC."""
    areas = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    return ("UTC", *sorted(name for name in available_timezones() if name.split("/")[0] in areas))


def minutes_of(text: str) -> int:
    """ "8", "08:30" or "24:00" as minutes after midnight. Raises Unreadable."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise Unreadable(text)
    minutes = int(found[1]) * 60 + int(found[2] or 0)
    if int(found[2] or 0) > 59 or minutes > DAY:
        raise Unreadable(text)
    return minutes


def hours_of(text: str) -> list[tuple[int, int]]:
    """ "08:00-12:00, 13:00-16:00": opening and closing, in order. A closing at or before its opening is on the next
    day. Raises Unreadable, also where two overlap."""
    found = []
    for part in text.replace("–", "-").split(","):
        if not part.strip():
            continue
        ends = part.split("-")
        if len(ends) != 2:
            raise Unreadable(part)
        opens, closes = minutes_of(ends[0]), minutes_of(ends[1])
        if opens >= DAY:
            raise Unreadable(part)
        found.append((opens, closes))
    found.sort()
    for (opens, closes), (following, _) in pairwise(found):
        if closes <= opens or closes > following:
            raise Unreadable(text)
    return found


def hours_text(weekly: Sequence[Sequence[int]], day: int) -> str:
    return ", ".join(f"{clock(opens)}-{clock(closes)}" for one, opens, closes in weekly if one == day)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def days_of(text: str) -> list[str]:
    """Dates as 2026-12-25, one in a line, in order and once each. Raises Unreadable."""
    found = set()
    for line in text.replace(",", " ").split():
        found.add(day_of(line).isoformat())
    return sorted(found)


def day_of(text: str) -> date:
    """Raises Unreadable."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise Unreadable(text) from None
    if not 2000 <= day.year <= 2100:
        raise Unreadable(text)
    return day


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """ "2026-12-25T08:00" on the wall of the zone, as browsers send it; what came twice is the first, what never came
    the jump. Raises Unreadable."""
    try:
        wall = datetime.strptime(text.strip(), "%Y-%m-%dT%H:%M")  # noqa: DTZ007
    except ValueError:
        raise Unreadable(text) from None
    if not 2000 <= wall.year <= 2100:
        raise Unreadable(text)
    return instant(wall.date(), wall.hour * 60 + wall.minute, zone)


def wall_of(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant(day, 0, zone).astimezone(UTC)


def spans_of_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)
