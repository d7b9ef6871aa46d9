"""A decision with 5,000 waiting, 500 operators and 50,000 conversations behind: who is next, who takes it, committed.

Beside it a whole turn of a dispatcher in which nothing is to be done, and the places of all who wait. Peer: the same
decision by the obvious way, which reads all who wait and all operators with room.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from chat.clock import SystemClock
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.migrations import schema
from chat.pairing.places import PlaceBoard
from chat.people.models import Operator
from tests.support.crowd import gather
from tests.support.databases import PostgresMaker
from tests.support.parts import Parts, running
from tests.support.servers import DurablePostgres

WAITING, OPERATORS, BEHIND = 5_000, 500, 50_000
DECISIONS = 300


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {"waiting": WAITING, "operators": OPERATORS, "conversations": BEHIND + WAITING}
    with tempfile.TemporaryDirectory(prefix="nightdesk-pairing-") as folder:
        figures["sqlite"] = asyncio.run(_measure(f"sqlite:///{Path(folder) / 'pairing.sqlite3'}"))
    with DurablePostgres() as server:
        figures["postgresql"] = asyncio.run(_measure(PostgresMaker(server).make(empty=True)))
    return figures


async def _measure(url: str) -> dict[str, Any]:
    db = Database(url)
    await schema.migrate(db)
    clock = SystemClock()
    async with running(db, clock) as parts:
        await gather(db, clock.now(), waiting=WAITING, operators=OPERATORS, ended=BEHIND)
        began = time.process_time()
        decisions = await _times(parts.pairing.offer_next, DECISIONS)
        cpu = (time.process_time() - began) / DECISIONS
        places = await _times(PlaceBoard(db, clock).all, 1)
        near = await _times(PlaceBoard(db, clock).near, 20)
        async with db.write() as session:
            people = table_of(Operator)
            await session.execute(people.update().values(capacity=people.c.load))
        turns = await _times(parts.dispatcher.turn, 20)
        obvious = await _times(lambda: _obvious(parts), 10)
    await db.close()
    return {
        **_summary(decisions),
        "cpu_ms_per_decision": round(1000 * cpu, 1),
        "idle_turn_p50_ms": _summary(turns)["p50_ms"],
        "places_of_all_ms": round(1000 * places[0], 1),
        "places_of_the_first_p50_ms": _summary(near)["p50_ms"],
        "peers": {"reads all who wait": _summary(obvious)},
    }


async def _obvious(parts: Parts) -> None:
    """Only the reading: what a decision costs that sorts in memory."""
    async with parts.db.read() as session:
        waiting = (await session.execute(select(Conversation).where(col(Conversation.state) == "waiting"))).scalars()
        min(waiting, key=lambda one: (one.priority, one.waiting_since))
        people = (await session.execute(select(Operator).where(col(Operator.present)))).scalars()
        min(people, key=lambda one: one.load / max(1, one.capacity))


async def _times(work: Callable[[], Awaitable[Any]], count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def _summary(taken: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(1000 * taken[len(taken) // 2], 1),
        "p99_ms": round(1000 * taken[min(len(taken) - 1, int(len(taken) * 0.99))], 1),
    }
