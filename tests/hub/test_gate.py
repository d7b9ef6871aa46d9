"""A crowd comes in one after the other; the last are told when to come again, and operators never wait."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from chat.hub.gate import AT_ONCE_SECONDS, LATE_STEP_SECONDS, PLACES, PLACES_PER_ADDRESS, ROOM_SECONDS, Gate, Line


def test_few_come_in_at_once_and_a_crowd_one_after_the_other() -> None:
    gate = Gate(500)
    waits = [gate.take(100.0) for _ in range(1000)]
    at_once = int(500 * AT_ONCE_SECONDS)
    assert waits[:at_once] == [0.0] * at_once
    assert waits == sorted(waits)
    assert abs(waits[-1] - (1000 - at_once) / 500) < 0.1


def test_who_would_wait_too_long_takes_no_turn_and_is_told_when_to_come() -> None:
    gate = Gate(10)
    while (wait := gate.take(0.0)) <= ROOM_SECONDS:
        pass
    assert gate.take(0.0) == wait  # the ones before were turned away, and hold no place
    assert gate.take(wait) <= ROOM_SECONDS


def test_operators_come_first_and_those_behind_wait_for_them() -> None:
    gate = Gate(10)
    for _ in range(20):
        gate.take(0.0)
    before = gate.take(0.0)
    assert gate.take(0.0, first=True) == 0.0
    assert gate.take(0.0) > before + 0.15


def test_who_goes_first_waits_for_no_lateness() -> None:
    gate = Gate(500, lambda: inf)
    assert gate.is_late
    assert gate.wants_nobody
    assert gate.take(0.0, first=True) == 0


def test_of_those_in_line_the_first_is_called_and_one_each_second() -> None:
    line = Line()
    guests = [object() for _ in range(3)]
    for n, guest in enumerate(guests):
        assert line.join(guest, f"192.0.2.{n}")
    assert not line.call(guests[1], 0.0)
    assert line.call(guests[0], 0.0)
    line.leave(guests[0])
    assert not line.call(guests[1], 0.9 * LATE_STEP_SECONDS)
    assert line.call(guests[1], LATE_STEP_SECONDS)


def test_who_leaves_the_line_gives_the_place_back() -> None:
    line = Line()
    guests = [object() for _ in range(PLACES)]
    for n, guest in enumerate(guests):
        assert line.join(guest, f"192.0.2.{n}")
    assert not line.join(object(), "203.0.113.1")
    line.leave(guests[0])
    assert line.join(object(), "203.0.113.1")
    assert line.call(guests[1], 0.0)


def test_one_address_has_so_many_places_in_line() -> None:
    line = Line()
    taken = [line.join(object(), "192.0.2.1") for _ in range(PLACES)]
    assert taken.count(True) == PLACES_PER_ADDRESS
    assert line.join(object(), "192.0.2.2")


def test_a_crowd_at_the_door_of_those_who_go_first_leaves_places_to_the_others() -> None:
    gate = Gate(100)
    entered = 0
    for n in range(10_000):
        now = n / 1000
        assert gate.take(now, first=True) == 0.0
        entered += gate.take(now) <= ROOM_SECONDS
    assert entered >= 0.4 * 100 * 10


@given(st.lists(st.tuples(st.floats(0, 0.05), st.booleans()), max_size=400))
def test_never_more_than_the_pace_and_what_comes_at_once(comings: list[tuple[float, bool]]) -> None:
    gate, now, entered = Gate(100), 0.0, []
    for pause, first in comings:
        now += pause
        wait = gate.take(now, first=first)
        if wait <= ROOM_SECONDS and not first:
            entered.append(now + wait)
    entered.sort()
    for place, at in enumerate(entered):
        within = [one for one in entered[place:] if one < at + 1]
        assert len(within) <= 100 + 100 * AT_ONCE_SECONDS + 1
