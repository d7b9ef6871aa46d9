"""One message of a visitor on A to a hundred consoles on B that show the conversation: milliseconds to the last one.

The entry is encoded once for each audience (role, language); the figure begins when the visitor sends.
"""

import asyncio
import os
import time
from typing import Any

from tests.benchmarks.pinned import cpu_seconds
from tests.benchmarks.scene import Ear, gathered, percentiles, scene

CONSOLES = 100
MESSAGES = 40
PAUSE = 0.3


def measure() -> dict[str, Any]:
    return asyncio.run(_measure())


async def _measure() -> dict[str, Any]:
    async with scene() as here:
        await here.furnish(1, CONSOLES)
        talk = here.talks[0]
        consoles = await gathered([here.console(operator, here.b, [talk]) for operator in here.operators])
        visitor = await here.visitor(talk, here.a)
        await asyncio.sleep(3)  # what the arrivals set going has ended
        firsts: list[float] = []
        lasts: list[float] = []
        acknowledged: list[float] = []
        before = cpu_seconds(here.b.pid)
        load = cpu_seconds(os.getpid())
        began = time.perf_counter()
        for number in range(MESSAGES):
            await _one(visitor, consoles, f"ref-{number:06}", acknowledged, firsts, lasts)
            await asyncio.sleep(PAUSE)
        seconds = time.perf_counter() - began
        b = cpu_seconds(here.b.pid) - before
        last, first, said = percentiles(lasts), percentiles(firsts), percentiles(acknowledged)
        after = percentiles([late - early for late, early in zip(lasts, firsts, strict=True)])
        return {
            **last,
            "first_to_last_p50_ms": after["p50_ms"],
            "first_to_last_p99_ms": after["p99_ms"],
            "first_p50_ms": first["p50_ms"],
            "acknowledged_p50_ms": said["p50_ms"],
            "cpu_us_per_message": {"b": round(b / MESSAGES * 1e6)},
            "load_cpu_share": round((cpu_seconds(os.getpid()) - load) / seconds, 2),
            "consoles": CONSOLES,
        }


async def _one(
    visitor: Ear,
    consoles: list[Ear],
    ref: str,
    acknowledged: list[float],
    firsts: list[float],
    lasts: list[float],
) -> None:
    heard: list[float] = []
    done = asyncio.Event()

    def on_text(_ear: Ear, text: bytes) -> None:
        if text.startswith(b'{"type":"said"'):
            heard.append(time.perf_counter() - began)
            if len(heard) == len(consoles):
                done.set()

    def on_own(_ear: Ear, text: bytes) -> None:
        if text.startswith(b'{"type":"said"'):
            acknowledged.append(time.perf_counter() - began)

    for console in consoles:
        console.on_text = on_text
    visitor.on_text = on_own
    began = time.perf_counter()
    visitor.say(type="say", conversation=visitor.key, ref=ref, text="Is anybody there? " * 4)
    async with asyncio.timeout(30):
        await done.wait()
    firsts.append(heard[0])
    lasts.append(heard[-1])
