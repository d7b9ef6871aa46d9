"""A crowd comes in one after the other; the last are told when to come again, and operators never wait."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from chat.hub.gate import AT_ONCE_SECONDS, LATE_STEP_SECONDS, ROOM_SECONDS, Gate


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


def test_a_process_that_is_late_lets_in_only_who_comes_first() -> None:
    lateness = 0.0
    gate = Gate(500, lambda: lateness)
    assert gate.take(0.0) == 0
    lateness = 1.0
    assert gate.is_late
    assert gate.take(0.0) > ROOM_SECONDS
    assert gate.take(0.0, first=True) == 0
    lateness = 0.1
    assert gate.take(0.0) == 0


def test_a_process_that_is_late_for_good_lets_in_one_now_and_then_and_one_that_wants_nobody_none() -> None:
    lateness = 1.0
    gate = Gate(500, lambda: lateness)
    seconds = 20
    came = [gate.take(n / 10) for n in range(seconds * 10)]
    assert set(came) == {0.0, 2 * ROOM_SECONDS}
    assert came.count(0.0) == seconds / LATE_STEP_SECONDS
    lateness = inf
    assert gate.take(100.0) > ROOM_SECONDS


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
