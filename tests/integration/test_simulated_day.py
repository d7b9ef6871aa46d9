"""24 hours, three shifts, absences, through the real modules. `python -m tests.benchmarks day` is the same with 2,000
conversations and tickets."""

import random

from chat.db import Database
from chat.pairing.dispatcher import Dispatcher
from tests.support.clock import FakeClock
from tests.support.simulated_day import BEGIN, Day
from tests.support.tickets import company

CASES = 300


async def test_a_day_of_three_shifts_keeps_every_rule(sqlite_db: Database) -> None:
    clock = FakeClock(BEGIN)
    async with company(sqlite_db, clock) as acme:
        chance = random.Random(4)  # noqa: S311 — the same day each time
        day = Day(acme, Dispatcher(acme.db, clock, acme.hub, acme.pairing, 45), chance)
        await day.pass_by(CASES, 3)
    assert day.faults == []
    assert day.visitors == [], "everybody came"
    assert day.seen["conversations"] + day.seen["tickets"] >= CASES
    assert day.seen["hand-overs"] > 0
    assert day.seen["breached: nobody_on_shift"] > 0, "the hour without anybody"
