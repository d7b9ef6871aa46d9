"""From `nightdesk demo` to the first page: an empty folder, then a folder that is there, five times each."""

import time
from statistics import median
from typing import Any

import httpx2

from tests.support.demo import DemoProgram

ROUNDS = 5


def measure() -> dict[str, Any]:
    fresh, again = [], []
    for _ in range(ROUNDS):
        program = DemoProgram()
        try:
            fresh.append(_seconds(program))
            program.stop()
            again.append(_seconds(program))
        finally:
            program.remove()
    return {"empty_folder_seconds": round(median(fresh), 2), "again_seconds": round(median(again), 2), "rounds": ROUNDS}


def _seconds(program: DemoProgram) -> float:
    began = time.monotonic()
    program.start()
    answer = httpx2.get(program.site)
    answer.raise_for_status()
    return time.monotonic() - began
