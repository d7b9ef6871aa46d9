"""24 hours, three shifts, absences, 2,000 conversations and tickets through the real modules. `python -m
tests.benchmarks day` says what such a day has seen, and how long it took."""

from tests.support.simulated_day import CASES, Day, a_day


async def test_a_day_of_three_shifts_keeps_every_rule() -> None:
    day: Day = await a_day()
    assert day.faults == []
    assert day.visitors == [], "everybody came"
    assert day.seen["conversations"] + day.seen["tickets"] >= CASES
    assert day.seen["hand-overs"] > 0
    assert day.seen["breached: nobody_on_shift"] > 0, "the hour without anybody"
