"""A day of a desk on an injected clock: 24 hours, three shifts of eight, absences, 2,000 conversations and tickets."""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from chat.db import Database
from chat.migrations import schema
from chat.pairing.dispatcher import Dispatcher
from tests.support.clock import FakeClock
from tests.support.simulated_day import BEGIN, Day
from tests.support.tickets import company

CASES = 2_000
EACH = 8


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nightdesk-day-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> dict[str, Any]:
    db = Database(f"sqlite:///{folder / 'day.sqlite3'}")
    await schema.migrate(db)
    clock = FakeClock(BEGIN)
    try:
        async with company(db, clock) as acme:
            chance = random.Random(4)  # noqa: S311 — the same day each time
            day = Day(acme, Dispatcher(acme.db, clock, acme.hub, acme.pairing, 45), chance)
            began = time.perf_counter()
            await day.pass_by(CASES, EACH)
            seconds = time.perf_counter() - began
    finally:
        await db.close()
    return {"cases": CASES, "seconds": round(seconds, 1), "faults": day.faults, "seen": dict(sorted(day.seen.items()))}
