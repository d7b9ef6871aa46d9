"""A day of a desk on an injected clock: 24 hours, three shifts of eight, absences, 2,000 conversations and tickets."""

import asyncio
import logging
import time
from typing import Any

import structlog

from tests.support.simulated_day import CASES, a_day


def measure() -> dict[str, Any]:
    # The answer is one JSON object, and not the alarms of a day.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began, processor = time.perf_counter(), time.process_time()
    day = asyncio.run(a_day())
    seconds = {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    return {
        "cases": CASES,
        **{name: round(value, 1) for name, value in seconds.items()},
        "faults": day.faults,
        "seen": dict(sorted(day.seen.items())),
    }
