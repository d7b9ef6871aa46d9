"""Working time against a walk minute by minute, and the edges of the calendar by hand."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from escalation.sla.calendars import FAR, Calendar, Pause, Weekly, always, cut, due, elapsed, instant, windows

LJUBLJANA, NEW_YORK, BEIRUT = ZoneInfo("Europe/Ljubljana"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Beirut")
MINUTE = timedelta(minutes=1)
CASES = 2400
# Both changes of the clock in two years, a New Year, a 29 February, and a zone whose clock jumps at midnight.
BLOCKS = [
    (LJUBLJANA, date(2025, 3, 27)), (LJUBLJANA, date(2025, 10, 23)), (LJUBLJANA, date(2026, 3, 26)),
    (LJUBLJANA, date(2026, 10, 22)), (LJUBLJANA, date(2026, 12, 29)), (LJUBLJANA, date(2028, 2, 26)),
    (NEW_YORK, date(2026, 3, 5)), (NEW_YORK, date(2026, 10, 29)), (BEIRUT, date(2026, 3, 26)),
]  # fmt: skip
DAYS = 10


@cache
def block(zone: ZoneInfo, first: date) -> tuple[datetime, dict[date, list[tuple[int, int]]]]:
    """Start, and for each local date its minutes: (index from the start, minutes after midnight on the wall)."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=2)
    walls: dict[date, list[tuple[int, int]]] = defaultdict(list)
    for index in range((DAYS + 4) * 1440):
        wall = (start + index * MINUTE).astimezone(zone)
        walls[wall.date()].append((index, wall.hour * 60 + wall.minute))
    return start, walls


def open_minutes(calendar: Calendar, first: date) -> bytearray:
    """One flag per minute of the block, found by looking at the wall at each."""
    _, walls = block(calendar.zone, first)
    flags = bytearray((DAYS + 4) * 1440)
    for day in sorted(walls)[:-2]:
        for weekly in calendar.weekly if day not in calendar.holidays else ():
            if weekly.day != day.weekday():
                continue
            overnight = weekly.closes <= weekly.opens
            stands = [
                index for index, wall in walls[day] if weekly.opens <= wall < (weekly.closes if not overnight else 1440)
            ]
            if overnight:
                stands += [index for index, wall in walls[day + timedelta(days=1)] if wall < weekly.closes]
            if stands:
                begins, ends = min(stands), max(stands) + 1
                flags[begins:ends] = b"\1" * (ends - begins)
    return flags


def random_calendar(random: Random, zone: ZoneInfo, first: date) -> Calendar:
    weekly = []
    for day in range(7):
        for _ in range(random.randint(0, 2)):
            near = random.random() < 0.3  # edges where clocks change
            opens = random.randint(0, 240) if near else random.randint(0, 1439)
            closes = random.choice([random.randint(0, 240), random.randint(0, 1440), 1440])
            weekly.append(Weekly(day, opens, closes))
    holidays = frozenset(first + timedelta(days=random.randint(0, DAYS)) for _ in range(random.randint(0, 2)))
    return Calendar(zone, tuple(weekly), holidays)


def random_pauses(random: Random, start: datetime) -> list[Pause]:
    edges = sorted(random.sample(range(1, 3 * 1440), 2 * random.randint(0, 2)))
    pauses: list[Pause] = [(start + a * MINUTE, start + b * MINUTE) for a, b in list(pairwise(edges))[::2]]
    if pauses and random.random() < 0.2:
        pauses[-1] = (pauses[-1][0], None)
    return pauses


def walk(flags: bytearray, origin: datetime, start: datetime, pauses: list[Pause]) -> list[int]:
    """Indices of the open minutes from `start` on that no pause covers."""
    first = (start - origin) // MINUTE
    stopped = bytearray(len(flags))
    for paused, resumed in pauses:
        begins = (paused - origin) // MINUTE
        ends = min(len(flags), (resumed - origin) // MINUTE) if resumed else len(flags)
        stopped[begins:ends] = b"\1" * max(0, ends - begins)
    return [index for index in range(first, len(flags)) if flags[index] and not stopped[index]]


@pytest.mark.parametrize("seed", range(8))
def test_due_and_elapsed_equal_a_walk_minute_by_minute(seed: int) -> None:
    random = Random(seed)  # noqa: S311 — cases of a test
    told = 0
    for _ in range(CASES // 8):
        zone, first = random.choice(BLOCKS)
        origin, _walls = block(zone, first)
        calendar = random_calendar(random, zone, first)
        start = origin + timedelta(days=2) + random.randint(0, 5 * 1440) * MINUTE
        pauses = random_pauses(random, start)
        worked = walk(open_minutes(calendar, first), origin, start, pauses)
        minutes = random.randint(1, 16 * 60)
        end = start + random.randint(0, 4 * 1440) * MINUTE
        last = (end - origin) // MINUTE
        assert elapsed(calendar, start, end, pauses) == 60 * sum(index < last for index in worked)
        found = due(calendar, start, minutes * 60, pauses)
        horizon = (DAYS + 1) * 1440
        if len(worked) >= minutes and worked[minutes - 1] < horizon:
            told += 1
            assert found == origin + (worked[minutes - 1] + 1) * MINUTE
        else:
            assert found is None or found >= origin + horizon * MINUTE
    assert told > CASES // 8 // 3


def test_always_is_one_endless_window_without_holidays() -> None:
    calendar = Calendar(LJUBLJANA, holidays=frozenset({date(2026, 1, 1)}), always=True)
    start = datetime(2025, 12, 31, 22, 58, tzinfo=UTC)
    assert list(windows(calendar, start)) == [(start, FAR)]
    assert due(calendar, start, 600) == start + timedelta(minutes=10)


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 29, 0, 55, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 55, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 55, tzinfo=UTC),
        datetime(2028, 2, 28, 23, 55, tzinfo=UTC),
        datetime(2028, 2, 29, 23, 55, tzinfo=UTC),
    ],
)
def test_ten_minutes_are_ten_minutes_over_every_edge(start: datetime) -> None:
    assert due(always(LJUBLJANA), start, 600) == start + timedelta(minutes=10)
    assert elapsed(always(LJUBLJANA), start, start + timedelta(seconds=601)) == 601


def test_a_night_in_spring_is_an_hour_shorter_and_one_in_autumn_longer() -> None:
    nights = Calendar(LJUBLJANA, tuple(Weekly(day, 22 * 60, 6 * 60) for day in range(7)))
    spring, autumn = datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 19, tzinfo=UTC)
    lengths = [end - begin for begin, end in (next(windows(nights, spring)), next(windows(nights, autumn)))]
    assert lengths == [timedelta(hours=7), timedelta(hours=9)]


def test_an_opening_that_does_not_exist_is_the_jump_itself() -> None:
    assert instant(date(2026, 3, 29), 150, LJUBLJANA) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(date(2026, 10, 25), 150, LJUBLJANA) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant(date(2026, 10, 25), 150, LJUBLJANA, last=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_time_used_up_with_the_window_is_due_at_its_end() -> None:
    hours = Calendar(LJUBLJANA, tuple(Weekly(day, 8 * 60, 16 * 60) for day in range(5)))
    start = datetime(2026, 11, 25, 14, 50, tzinfo=UTC)
    assert due(hours, start, 600) == datetime(2026, 11, 25, 15, tzinfo=UTC)
    assert due(hours, start, 601) == datetime(2026, 11, 26, 7, 0, 1, tzinfo=UTC)


def test_a_pause_that_lasts_leaves_nothing_due() -> None:
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    pauses: list[Pause] = [(start + 4 * MINUTE, None)]
    assert due(always(LJUBLJANA), start, 600, pauses) is None
    assert due(always(LJUBLJANA), start, 240, pauses) == start + 4 * MINUTE
    assert elapsed(always(LJUBLJANA), start, start + 60 * MINUTE, pauses) == 240
    assert cut((start, FAR), pauses) == [(start, start + 4 * MINUTE)]


def test_a_calendar_that_never_opens_ends() -> None:
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert due(Calendar(LJUBLJANA), start, 1) is None
    assert due(Calendar(LJUBLJANA, (Weekly(0, 60, 60 + 0),)), start, 60) is not None  # equal: a whole day
