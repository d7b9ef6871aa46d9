"""Whose lease is over: by our own stopwatch alone, and only while we looked all the time."""

from uuid import UUID

from chat.pairing.leases import BLIND_SECONDS, DEAD_SECONDS, Stopwatch

OURS, THEIRS = UUID(int=1), UUID(int=2)


def dead_after(beats: list[int], seconds: float = 1.0) -> list[UUID]:
    """A look each `seconds`, with what their beat was then."""
    watch, now = Stopwatch(), 0.0
    for beat in beats:
        now += seconds
        watch.look({OURS: 0, THEIRS: beat}, now)
    return [still.epoch for still in watch.dead(OURS, now)]


def test_a_beat_that_stands_still_for_so_long_is_dead_and_our_own_never() -> None:
    assert dead_after([5] * int(DEAD_SECONDS)) == []
    assert dead_after([5] * int(DEAD_SECONDS + 1)) == [THEIRS]


def test_a_beat_that_moves_begins_the_time_anew() -> None:
    assert dead_after([5] * 24 + [6] * 24) == []


def test_who_slept_times_the_others_anew() -> None:
    assert dead_after([5] * 20, seconds=BLIND_SECONDS + 1) == []


def test_an_epoch_that_is_gone_is_told_once() -> None:
    watch = Stopwatch()
    assert watch.look({OURS: 0, THEIRS: 0}, 1) == set()
    assert watch.look({OURS: 0}, 2) == {THEIRS}
    assert watch.look({OURS: 0}, 3) == set()
