"""Frames that are not stored, from visitors on A to consoles on B, through Redis; A and B share one core.

A visitor's `type` frame is decoded, checked, published, and shown at the operator's console as `typed`. At full speed
so many are under way that both servers are always busy; the latencies are those at 1,000 frames/s, from the scheduled
time.
"""

import asyncio
import os
import time
from typing import Any

from tests.benchmarks.delivery import measure_peer
from tests.benchmarks.peers import PEERS
from tests.benchmarks.pinned import cpu_seconds, pin
from tests.benchmarks.scene import Ear, Scene, gathered, percentiles, scene
from tests.support.servers import RedisServer

VISITORS = 200
OPERATORS = 10
FRAMES = 60_000
UNDER_WAY = 2000
SILENCE = 3.0
PER_SECOND = 1000
SECONDS = 4


def measure() -> dict[str, Any]:
    """The peers store nothing: they do here what they do in `delivery`. NIGHTDESK_BENCHMARK_PEERS=false leaves them
    out."""
    figures = asyncio.run(_measure())
    if os.environ.get("NIGHTDESK_BENCHMARK_PEERS") != "false":
        redis = RedisServer()
        try:
            redis.start()
            if redis.process is not None:
                pin(redis.process.pid, 1)
            figures["peers"] = {peer.name: measure_peer(peer, redis.url) for peer in PEERS}
        finally:
            redis.remove()
    return figures


async def _measure() -> dict[str, Any]:
    async with scene() as here:
        await here.furnish(VISITORS, OPERATORS)
        share = VISITORS // OPERATORS
        consoles = await gathered(
            [
                here.console(operator, here.b, [talk for talk in here.talks if talk.operator == operator])
                for operator in here.operators
            ]
        )
        visitors = await gathered([here.visitor(talk, here.a) for talk in here.talks])
        await asyncio.sleep(3)  # what the arrivals set going has ended
        fast = await _at_full_speed(here, visitors, consoles)
        calm = await _latencies(visitors, consoles)
        for ear in [*visitors, *consoles]:
            ear.leave()
        return {**fast, **calm, "visitors": VISITORS, "consoles": OPERATORS, "open_each": share}


async def _at_full_speed(here: Scene, visitors: list[Ear], consoles: list[Ear]) -> dict[str, Any]:
    heard = 0
    sent = 0
    lost = 0
    room = asyncio.Event()

    def on_text(_ear: Ear, text: bytes) -> None:
        nonlocal heard
        if text.startswith(b'{"type":"typed"'):
            heard += 1
            if sent - heard - lost <= (UNDER_WAY // 2 if sent < FRAMES else 0):
                room.set()

    async def until_at_most(under_way: int) -> None:
        """What is not heard for seconds is lost: nobody promised that it arrives."""
        nonlocal lost
        while sent - heard - lost > under_way:
            room.clear()
            before = heard
            try:
                async with asyncio.timeout(SILENCE):
                    await room.wait()
            except TimeoutError:
                if heard == before:
                    lost = sent - heard

    for console in consoles:
        console.on_text = on_text
    frames = [_typing(visitor) for visitor in visitors]
    before = [cpu_seconds(one) for one in (here.a.pid, here.b.pid, os.getpid())]
    began = time.perf_counter()
    while sent < FRAMES:
        for visitor, frame in zip(visitors, frames, strict=True):
            visitor.send(frame)
        sent += len(visitors)
        await until_at_most(UNDER_WAY)
    await until_at_most(0)
    seconds = time.perf_counter() - began
    a, b, load = (cpu_seconds(one) - at for one, at in zip((here.a.pid, here.b.pid, os.getpid()), before, strict=True))
    return {
        "messages_per_second": round(heard / seconds),
        "lost": lost,
        "cpu_us_per_message": {"a": round(a / FRAMES * 1e6, 1), "b": round(b / FRAMES * 1e6, 1)},
        "load_cpu_share": round(load / seconds, 2),
    }


async def _latencies(visitors: list[Ear], consoles: list[Ear]) -> dict[str, Any]:
    scheduled: dict[bytes, float] = {}
    latencies: list[float] = []
    done = asyncio.Event()

    def on_text(_ear: Ear, text: bytes) -> None:
        if text.startswith(b'{"type":"typed"'):
            at = scheduled.pop(text[32:68], None)  # after {"type":"typed","conversation":"
            if at is not None:
                latencies.append(time.perf_counter() - at)
                if len(latencies) == PER_SECOND * SECONDS:
                    done.set()

    for console in consoles:
        console.on_text = on_text
    began = time.perf_counter()
    for number in range(PER_SECOND * SECONDS):
        due = began + number / PER_SECOND
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        visitor = visitors[number % len(visitors)]
        scheduled[visitor.key.encode()] = due
        visitor.send(_typing(visitor))
    async with asyncio.timeout(30):
        await done.wait()
    return percentiles(latencies)


def _typing(visitor: Ear) -> bytes:
    return b'{"type":"type","conversation":"%s","typing":false}' % visitor.key.encode()
