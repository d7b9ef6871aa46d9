"""When an operator is on duty: overlap, absences, holidays, nights and both changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.public import Duty
from escalation.shifts.roster import AHEAD, Roster, Turn, joined, without
from escalation.sla.calendars import Calendar, Interval, Weekly

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def shift(opens: int, closes: int, *, holidays: tuple[date, ...] = (), zone: ZoneInfo = LJUBLJANA) -> Calendar:
    """Every day, by hours."""
    return Calendar(zone, tuple(Weekly(day, opens * 60, closes * 60) for day in range(7)), frozenset(holidays))


def at(text: str) -> datetime:
    """On the wall of Ljubljana."""
    return datetime.fromisoformat(text).replace(tzinfo=LJUBLJANA)


DAYS = shift(6, 14)
EVENINGS = shift(13, 22)
NIGHTS = shift(22, 6)
FROM_MONDAY = date(2026, 6, 1)


def test_who_stands_in_no_shift_works_at_any_time() -> None:
    assert Roster().duty(at("2026-06-01 03:00")) == Duty()
    assert Duty().holds(at("2026-06-01 03:00"))


def test_the_end_is_exact_and_not_part_of_it() -> None:
    duty = Roster((Turn(DAYS, FROM_MONDAY),)).duty(at("2026-06-02 13:59"))
    assert duty == Duty(at("2026-06-02 06:00"), at("2026-06-02 14:00"))
    assert duty.holds(at("2026-06-02 06:00"))
    assert duty.holds(at("2026-06-02 13:59") + timedelta(seconds=59))
    assert not duty.holds(at("2026-06-02 14:00"))


def test_off_duty_the_next_span_is_known() -> None:
    duty = Roster((Turn(DAYS, FROM_MONDAY),)).duty(at("2026-06-02 14:00"))
    assert duty == Duty(at("2026-06-03 06:00"), at("2026-06-03 14:00"))


def test_shifts_that_overlap_or_touch_are_one_span() -> None:
    both = Roster((Turn(DAYS, FROM_MONDAY), Turn(EVENINGS, FROM_MONDAY, FROM_MONDAY)))
    assert both.duty(at("2026-06-01 07:00")) == Duty(at("2026-06-01 06:00"), at("2026-06-01 22:00"))
    with_night = Roster((*both.turns, Turn(NIGHTS, FROM_MONDAY, FROM_MONDAY)))
    # The night ends as the next day begins.
    assert with_night.duty(at("2026-06-01 07:00")) == Duty(at("2026-06-01 06:00"), at("2026-06-02 14:00"))


def test_a_turn_belongs_to_the_days_on_which_its_shift_opens() -> None:
    nights = Roster((Turn(NIGHTS, FROM_MONDAY, date(2026, 6, 2)),))
    assert not nights.duty(at("2026-06-01 03:00")).holds(at("2026-06-01 03:00"))
    assert nights.duty(at("2026-06-03 05:59")).holds(at("2026-06-03 05:59"))
    after = at("2026-06-03 06:00")
    assert nights.duty(after) == Duty(after + AHEAD, after + AHEAD)


def test_an_absence_ends_the_span_and_the_rest_comes_after_it() -> None:
    roster = Roster((Turn(DAYS, FROM_MONDAY),), ((at("2026-06-01 09:00"), at("2026-06-01 11:00")),))
    assert roster.duty(at("2026-06-01 08:00")) == Duty(at("2026-06-01 06:00"), at("2026-06-01 09:00"))
    assert roster.duty(at("2026-06-01 10:00")) == Duty(at("2026-06-01 11:00"), at("2026-06-01 14:00"))


def test_an_absence_counts_for_who_stands_in_no_shift() -> None:
    away = (at("2026-06-01 09:00"), at("2026-06-08 09:00"))
    roster = Roster((), (away,))
    assert roster.duty(at("2026-06-01 08:59")).holds(at("2026-06-01 08:59"))
    assert not roster.duty(at("2026-06-01 09:00")).holds(at("2026-06-01 09:00"))
    assert roster.duty(at("2026-06-08 09:00")) == Duty()


def test_nobody_works_on_a_holiday_of_the_shift_but_the_night_before_goes_on() -> None:
    nights = shift(22, 6, holidays=(date(2026, 6, 2),))
    roster = Roster((Turn(nights, FROM_MONDAY),))
    assert roster.duty(at("2026-06-02 05:00")).holds(at("2026-06-02 05:00"))
    assert not roster.duty(at("2026-06-02 23:00")).holds(at("2026-06-02 23:00"))


@pytest.mark.parametrize(
    ("evening", "hours"), [("2026-03-28 23:00", 7), ("2026-10-24 23:00", 9), ("2026-06-01 23:00", 8)]
)
def test_a_night_over_a_change_of_the_clock_is_as_long_as_it_is(evening: str, hours: int) -> None:
    duty = Roster((Turn(NIGHTS, date(2026, 1, 1)),)).duty(at(evening))
    assert duty.begins is not None
    assert duty.ends is not None
    assert duty.ends.astimezone(UTC) - duty.begins.astimezone(UTC) == timedelta(hours=hours)


def test_a_shift_has_a_zone_of_its_own() -> None:
    tokyo = Turn(shift(9, 17, zone=ZoneInfo("Asia/Tokyo")), FROM_MONDAY)
    duty = Roster((tokyo,)).duty(datetime(2026, 6, 3, 1, 0, tzinfo=UTC))
    assert duty == Duty(datetime(2026, 6, 3, 0, 0, tzinfo=UTC), datetime(2026, 6, 3, 8, 0, tzinfo=UTC))


def spans() -> st.SearchStrategy[list[Interval]]:
    minutes = st.integers(0, 600)
    made = st.tuples(minutes, st.integers(1, 90)).map(
        lambda pair: (BEGIN + timedelta(minutes=pair[0]), BEGIN + timedelta(minutes=sum(pair)))
    )
    return st.lists(made, max_size=8)


@given(spans(), spans())
def test_joining_and_cutting_equal_a_walk_minute_by_minute(works: list[Interval], gone: list[Interval]) -> None:
    found = without(joined(works), joined(gone))
    assert found == sorted(found)
    for minute in range(700):
        now = BEGIN + timedelta(minutes=minute)
        wanted = any(a <= now < b for a, b in works) and not any(a <= now < b for a, b in gone)
        assert any(a <= now < b for a, b in found) == wanted
