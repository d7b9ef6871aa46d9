"""A crowd comes in one after the other; the last are told when to come again, and operators never wait."""

from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from chat.hub.gate import AT_ONCE_SECONDS, LATE_STEP_SECONDS, ROOM_SECONDS, Gate, Turn


def test_few_come_in_at_once_and_a_crowd_one_after_the_other() -> None:
    gate = Gate(500)
    waits = [gate.take(100.0).wait for _ in range(1000)]
    at_once = int(500 * AT_ONCE_SECONDS)
    assert waits[:at_once] == [0.0] * at_once
    assert waits == sorted(waits)
    assert abs(waits[-1] - (1000 - at_once) / 500) < 0.1


def test_who_would_wait_too_long_takes_no_turn_and_is_told_when_to_come() -> None:
    gate = Gate(10)
    while (wait := gate.take(0.0).wait) <= ROOM_SECONDS:
        pass
    assert gate.take(0.0).wait == wait  # the ones before were turned away, and hold no place
    assert gate.take(wait).wait <= ROOM_SECONDS


def test_operators_come_first_and_those_behind_wait_for_them() -> None:
    gate = Gate(10)
    for _ in range(20):
        gate.take(0.0)
    before = gate.take(0.0).wait
    assert gate.take(0.0, first=True).wait == 0.0
    assert gate.take(0.0).wait > before + 0.15


def test_a_process_that_is_late_lets_in_one_each_second_and_whoever_comes_first() -> None:
    lateness = 0.0
    gate = Gate(500, lambda: lateness)
    assert gate.take(0.0).wait == 0
    lateness = 1.0
    assert gate.is_late
    places = int(ROOM_SECONDS / LATE_STEP_SECONDS)
    turns = [gate.take(0.0) for _ in range(100)]
    assert turns[:places] == [Turn((n + 1) * LATE_STEP_SECONDS, in_spite=True) for n in range(places)]
    assert {turn.wait > ROOM_SECONDS for turn in turns[places:]} == {True}
    assert gate.take(0.0, first=True).wait == 0
    lateness = 0.1
    assert gate.take(0.1) == Turn(0.0)  # nobody waits for those who were given a second each


def test_a_process_that_is_late_for_good_refuses_nobody_who_comes_alone_and_one_that_wants_nobody_all() -> None:
    lateness = 1.0
    gate, now = Gate(500, lambda: lateness), 0.0
    for _ in range(20):
        wait = gate.take(now).wait
        assert wait <= LATE_STEP_SECONDS
        now += wait + 0.01
    seconds = 20
    crowd = [now + n / 10 + wait for n in range(seconds * 10) if (wait := gate.take(now + n / 10).wait) <= ROOM_SECONDS]
    assert abs(len(crowd) - (seconds + ROOM_SECONDS) / LATE_STEP_SECONDS) <= 1
    assert min(b - a for a, b in pairwise(crowd)) >= 0.99 * LATE_STEP_SECONDS
    lateness = inf
    assert gate.take(1000.0).wait > ROOM_SECONDS


def test_a_crowd_at_the_door_of_those_who_go_first_leaves_places_to_the_others() -> None:
    gate = Gate(100)
    entered = 0
    for n in range(10_000):
        now = n / 1000
        assert gate.take(now, first=True).wait == 0.0
        entered += gate.take(now).wait <= ROOM_SECONDS
    assert entered >= 0.4 * 100 * 10


@given(st.lists(st.tuples(st.floats(0, 0.05), st.booleans()), max_size=400))
def test_never_more_than_the_pace_and_what_comes_at_once(comings: list[tuple[float, bool]]) -> None:
    gate, now, entered = Gate(100), 0.0, []
    for pause, first in comings:
        now += pause
        wait = gate.take(now, first=first).wait
        if wait <= ROOM_SECONDS and not first:
            entered.append(now + wait)
    entered.sort()
    for place, at in enumerate(entered):
        within = [one for one in entered[place:] if one < at + 1]
        assert len(within) <= 100 + 100 * AT_ONCE_SECONDS + 1
