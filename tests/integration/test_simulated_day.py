"""24 hours, three shifts, absences, conversations and tickets through the real modules. The same day with 2,000 of
them, and how long it took, is `python -m tests.benchmarks day`."""

from tests.support.simulated_day import Day, a_day

CASES = 600


async def test_a_day_of_three_shifts_keeps_every_rule() -> None:
    day: Day = await a_day(CASES)
    assert day.faults == []
    assert day.visitors == [], "everybody came"
    assert day.seen["conversations"] + day.seen["tickets"] >= CASES
    assert day.seen["hand-overs"] > 0
    assert day.seen["high before normal"] > 0
    assert day.seen["breached: nobody_on_shift"] > 0, "the hours without anybody"
