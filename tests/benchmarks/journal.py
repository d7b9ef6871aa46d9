"""Durable messages a second through the journal, on SQLite and PostgreSQL, both with a flush per commit.

64 writers wait for their commit each; then 512, as in a crowd. Peer: one commit each, in the same run.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chat.clock import SystemClock
from chat.conversations.entry import Author, EntryDraft
from chat.conversations.streams import append
from chat.db import Database
from chat.migrations import schema
from tests.support.parts import Parts, running
from tests.support.servers import DurablePostgres

WRITERS = 64
CROWD = 512
SECONDS = 4.0
Write = Callable[[int, int], Awaitable[object]]


def measure() -> dict[str, Any]:
    with DurablePostgres() as server, tempfile.TemporaryDirectory(prefix="nightdesk-journal-") as folder:
        sqlite = asyncio.run(_measure(f"sqlite:///{Path(folder) / 'journal.sqlite3'}"))
        return {**sqlite, "writers": WRITERS, "postgresql": asyncio.run(_measure(server.url()))}


async def _measure(url: str) -> dict[str, Any]:
    db = Database(url)
    await schema.migrate(db)
    async with running(db, SystemClock()) as parts:
        site, _ = await parts.furnish()
        conversations = [await parts.conversation(site) for _ in range(CROWD)]

        async def grouped(writer: int, n: int) -> None:
            found = conversations[writer]
            author = Author("visitor", found.visitor_id)
            await parts.conversations.say(found.id, author, "x" * 80, f"ref-{writer:03}-{n:08}-{time.monotonic_ns()}")

        async def one_each(writer: int, n: int) -> None:
            async with db.write() as session:
                draft = EntryDraft("message", text="x" * 80, ref=f"one-{writer:03}-{n:08}")
                await append(session, conversations[writer].id, [draft], parts.clock.now())

        figures = await _rate(grouped, WRITERS)
        crowd = await _rate(grouped, CROWD)
        one = await _rate(one_each, WRITERS)
        figures |= {"crowd": crowd, "group_size": _mean_group(parts), "peers": {"one commit each": one}}
        figures["ratio"] = round(figures["messages_per_second"] / one["messages_per_second"], 1)
    await db.close()
    return figures


def _mean_group(parts: Parts) -> float:
    sizes = parts.conversations.journal.group_sizes
    return round(sizes.total / max(1, sizes.number), 1)


async def _rate(write: Write, writers: int) -> dict[str, Any]:
    latencies: list[float] = []
    began, worked = time.perf_counter(), time.process_time()

    async def work(writer: int) -> None:
        n = 0
        while time.perf_counter() - began < SECONDS:
            at = time.perf_counter()
            await write(writer, n)
            latencies.append(time.perf_counter() - at)
            n += 1

    await asyncio.gather(*(work(writer) for writer in range(writers)))
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    latencies.sort()
    return {
        "messages_per_second": round(len(latencies) / seconds),
        "cpu_us_per_message": round(1e6 * worked / len(latencies), 1),
        "p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
        "p99_ms": round(1000 * latencies[int(len(latencies) * 0.99)], 1),
    }
