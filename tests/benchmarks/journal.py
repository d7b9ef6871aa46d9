"""Durable messages a second through the journal, 64 writers waiting for their commit; peer: a commit each, same run."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from chat.clock import SystemClock
from chat.conversations.entry import Author, EntryDraft
from chat.conversations.streams import append
from chat.db import Database
from chat.migrations import schema
from tests.support.parts import running

WRITERS = 64
SECONDS = 4.0


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nightdesk-journal-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> dict[str, Any]:
    db = Database(f"sqlite:///{folder / 'journal.sqlite3'}")
    await schema.migrate(db)
    async with running(db, SystemClock()) as parts:
        site, _ = await parts.furnish()
        conversations = [await parts.conversation(site) for _ in range(WRITERS)]

        async def grouped(writer: int, n: int) -> None:
            found = conversations[writer]
            author = Author("visitor", found.visitor_id)
            await parts.conversations.say(found.id, author, "x" * 80, f"ref-{writer:03}-{n:08}")

        async def one_each(writer: int, n: int) -> None:
            async with db.write() as session:
                draft = EntryDraft("message", text="x" * 80, ref=f"one-{writer:03}-{n:08}")
                await append(session, conversations[writer].id, [draft], parts.clock.now())

        group_rate, latencies = await _rate(grouped)
        one_rate, _ = await _rate(one_each)
    await db.close()
    latencies.sort()
    return {
        "messages_per_second": round(group_rate),
        "p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
        "p99_ms": round(1000 * latencies[int(len(latencies) * 0.99)], 1),
        "peers": {"one commit each": {"messages_per_second": round(one_rate)}},
        "ratio": round(group_rate / one_rate, 1),
        "writers": WRITERS,
    }


async def _rate(write: Any) -> tuple[float, list[float]]:
    latencies: list[float] = []
    began = time.perf_counter()

    async def work(writer: int) -> None:
        n = 0
        while time.perf_counter() - began < SECONDS:
            at = time.perf_counter()
            await write(writer, n)
            latencies.append(time.perf_counter() - at)
            n += 1

    await asyncio.gather(*(work(writer) for writer in range(WRITERS)))
    return len(latencies) / (time.perf_counter() - began), latencies
