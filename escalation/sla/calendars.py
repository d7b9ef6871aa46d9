"""Working time: when it is open, when a promise is due, how much of it has been used. Pure, integer seconds.

A window belongs to the local date on which it opens. It lasts from the first instant at which its opening stands on
the wall to the last at which its closing does, so a change of the clock makes it shorter or longer, never two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 24 * 60
FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what has none."""
HORIZON = 3660
"""Days without an open second after which a calendar counts as never open."""
SECOND = timedelta(seconds=1)

Interval = tuple[datetime, datetime]
Pause = tuple[datetime, datetime | None]
"""From, and to; one that still lasts has no end."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """`day` 0 is Monday. Minutes after midnight; `closes` at or before `opens` means on the next day, 1440 midnight."""

    day: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Calendar:
    zone: ZoneInfo
    weekly: tuple[Weekly, ...] = ()
    holidays: frozenset[date] = frozenset()
    always: bool = False


def always(zone: ZoneInfo) -> Calendar:
    return Calendar(zone, always=True)


def windows(calendar: Calendar, t: datetime) -> Iterator[Interval]:
    """Opening intervals in UTC from `t` on, in order and disjoint."""
    if calendar.always:
        yield t, FAR
        return
    if not calendar.weekly:
        return
    reached = t
    # What opened the day before may still be open.
    day = t.astimezone(calendar.zone).date() - timedelta(days=1)
    quiet = 0
    while quiet < HORIZON:
        quiet += 1
        for begins, ends in opened_on(calendar, day):
            if ends > max(begins, reached):
                yield max(begins, reached), ends
                reached, quiet = ends, 0
        day += timedelta(days=1)


def cut(window: Interval, pauses: Sequence[Pause]) -> list[Interval]:
    """The window minus sorted, disjoint pauses."""
    parts = []
    begins, ends = window
    for paused, resumed in pauses:
        if paused >= ends:
            break
        if paused > begins:
            parts.append((begins, paused))
        begins = max(begins, resumed or FAR)
        if begins >= ends:
            return parts
    parts.append((begins, ends))
    return parts


def due(calendar: Calendar, start: datetime, seconds: int, pauses: Sequence[Pause] = ()) -> datetime | None:
    """When `seconds` of open, unpaused time are used up; None while a pause without an end comes before."""
    left = timedelta(seconds=seconds)
    lasting = next((paused for paused, resumed in pauses if resumed is None), FAR)
    for window in windows(calendar, start):
        for begins, ends in cut(window, pauses):
            if ends - begins >= left:
                return begins + left
            left -= ends - begins
        if window[1] >= lasting:
            return None
    return None


def elapsed(calendar: Calendar, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> int:
    """Whole seconds of open, unpaused time used from `start` to `end`."""
    used = timedelta()
    for begins, ends in windows(calendar, start):
        if begins >= end:
            break
        used += sum((to - since for since, to in cut((begins, min(ends, end)), pauses)), timedelta())
    return used // SECOND


def instant(day: date, minutes: int, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """The first (or last) instant at which the wall shows at least these minutes after the midnight of `day`.

    A time that does not exist is the instant at which the clock jumped over it.
    """
    days, rest = divmod(minutes, DAY)
    wall = datetime(day.year, day.month, day.day, rest // 60, rest % 60) + timedelta(days=days)  # noqa: DTZ001
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if late < early:
        return _jump(late, early, zone)
    return late if last else early


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second of the change between two instants with different offsets."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // 2 // SECOND * SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


@lru_cache(maxsize=4096)
def opened_on(calendar: Calendar, day: date) -> tuple[Interval, ...]:
    """What opens on that local date, in order."""
    if day in calendar.holidays:
        return ()
    found = []
    for weekly in calendar.weekly:
        if weekly.day == day.weekday():
            closes = weekly.closes if weekly.closes > weekly.opens else weekly.closes + DAY
            begins = instant(day, weekly.opens, calendar.zone)
            found.append((begins, instant(day, closes, calendar.zone, last=True)))
    return tuple(sorted(found))
