"""5,000 visitors with a conversation come back to one hub on one core (PostgreSQL, Redis), each from its cursor.

First as fast as the hub can take them, its gate open. Then as it happens: the hub is killed, all have lost their line
at once, and dial as the browser does, with the gate as it is shipped and twenty operators among them.
"""

import asyncio
import os
import random
import signal
import time
from typing import Any
from uuid import UUID

import psycopg
from picows import WSError, ws_connect
from sqlalchemy import insert, update

from chat.clock import SystemClock
from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from chat.ids import new_id
from tests.benchmarks.pinned import cpu_seconds, pin, resident
from tests.benchmarks.scene import Ear, Scene, Talk, percentiles
from tests.support.databases import PostgresMaker
from tests.support.servers import PostgresServer, RedisServer
from tests.support.serving import Desk, Process

VISITORS = int(os.environ.get("NIGHTDESK_BENCHMARK_VISITORS", "5000"))
OPERATORS = 20
ENTRIES = 3
SEEN = 1
DIALLING = 100
FIRST_TRY = 2.0
GREETING = 8.0
LONGEST_PAUSE = 30.0
TICK = 0.05
PATIENCE = 30.0
"""Of the load, where no browser is played."""
STATISTICS_SECONDS = 2.0
"""Until PostgreSQL has counted what was done."""


def measure() -> dict[str, Any]:
    return asyncio.run(_measure())


async def _measure() -> dict[str, Any]:
    postgres, redis = PostgresServer(), RedisServer()
    before = os.sched_getaffinity(0)
    pin(0, 1)  # what is started from here on inherits it
    try:
        postgres.start()
        redis.start()
        url = await asyncio.to_thread(PostgresMaker(postgres).make)
        desk = Desk(url, redis.url, NIGHTDESK_SOCKETS_PER_ADDRESS="100000", NIGHTDESK_ATTEMPTS_PER_MINUTE="1000000")
        db = Database(url)
        try:
            hub = await asyncio.to_thread(desk.serve, NIGHTDESK_RESUMES_PER_SECOND="100000")
            pin(hub.pid, 0)
            scene = Scene(desk, db, hub, hub)
            await scene.furnish(VISITORS, OPERATORS)
            await _talked(db, scene.talks)
            open_gate = await _capacity(scene, hub, url)
            hub.end(signal.SIGKILL)
            hub = await asyncio.to_thread(desk.serve)
            pin(hub.pid, 0)
            shipped = await _storm(Scene(desk, db, hub, hub), scene)
            return {**open_gate, "storm": shipped, "visitors": VISITORS}
        finally:
            await db.close()
            await asyncio.to_thread(desk.remove)
    finally:
        postgres.remove()
        redis.remove()
        os.sched_setaffinity(0, before)


async def _talked(db: Database, talks: list[Talk]) -> None:
    now = SystemClock().now()
    rows = [
        {
            "id": new_id(),
            "conversation_id": talk.id,
            "stream": "public",
            "seq": seq,
            "kind": "message",
            "author_kind": "operator",
            "author_name": "Operator",
            "text": f"What was said as number {seq}, as long as people's messages are in a chat, on average",
            "data": {},
            "after_seq": 0,
            "at": now,
        }
        for talk in talks
        for seq in range(1, ENTRIES + 1)
    ]
    async with db.write(60) as session:
        await session.execute(insert(table_of(Message)), rows)
        await session.execute(update(table_of(Conversation)).values(last_seq=ENTRIES))


async def _capacity(scene: Scene, hub: Process, url: str) -> dict[str, Any]:
    (await _back(scene, scene.talks[0])).leave()  # what is read once for all
    done = _transactions(url)
    await asyncio.sleep(STATISTICS_SECONDS)
    idle = (_transactions(url) - done) / STATISTICS_SECONDS
    room = asyncio.Semaphore(DIALLING)
    taken: list[float] = []

    async def back(talk: Talk) -> Ear:
        async with room:
            began = time.monotonic()
            ear = await _back(scene, talk)
            taken.append(time.monotonic() - began)
            return ear

    done, worked, own, began = _transactions(url), cpu_seconds(hub.pid), time.process_time(), time.monotonic()
    ears = await asyncio.gather(*(back(talk) for talk in scene.talks))
    seconds = time.monotonic() - began
    worked, own = cpu_seconds(hub.pid) - worked, time.process_time() - own
    await asyncio.sleep(STATISTICS_SECONDS)
    queries = _transactions(url) - done - idle * (seconds + STATISTICS_SECONDS)
    figures = {
        "resumes_per_second": round(len(ears) / seconds),
        "queries_per_client": round(queries / len(ears), 2),
        "cpu_us_per_resume": round(1e6 * worked / len(ears)),
        **percentiles(taken),
        "rss_mb_with_all": round(resident(hub.pid) / 1e6, 1),
        "load_cpu_share": round(own / seconds, 2),
    }
    for ear in ears:
        ear.leave()
    return figures


async def _storm(scene: Scene, furnished: Scene) -> dict[str, Any]:
    """Everybody dials within two seconds, and again with growing pauses when refused, as `connection.js` does."""
    scene.site_key, scene.operators = furnished.site_key, furnished.operators
    passes = {one: await scene.socket_pass(one) for one in scene.operators}
    chance = random.Random(3)  # noqa: S311 — the same storm each time
    began = time.monotonic()
    back: list[float] = []
    operators: list[float] = []
    refused = 0

    async def visitor(talk: Talk) -> Ear:
        nonlocal refused
        pause = chance.uniform(0, FIRST_TRY)
        attempts = 0
        while True:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(GREETING):
                    ear = await _back(scene, talk)
            except (WSError, OSError, TimeoutError):
                refused += 1
                attempts += 1
                pause = chance.uniform(0, min(LONGEST_PAUSE, FIRST_TRY * 2**attempts))
            else:
                back.append(time.monotonic() - began)
                return ear

    async def operator(operator_id: UUID, socket_pass: str) -> Ear:
        await asyncio.sleep(chance.uniform(0, FIRST_TRY))
        dialled = time.monotonic()
        ear = await scene.console(operator_id, scene.a, [], socket_pass)
        operators.append(time.monotonic() - dialled)
        return ear

    late = [0.0]
    watching = asyncio.create_task(_watch(late))
    people = [visitor(talk) for talk in furnished.talks] + [operator(*one) for one in passes.items()]
    ears = await asyncio.gather(*people)
    watching.cancel()
    for ear in ears:
        ear.leave()
    return {
        "load_late_ms": round(1000 * max(late)),
        "p50_seconds": round(percentiles(back)["p50_ms"] / 1000, 1),
        "p99_seconds": round(percentiles(back)["p99_ms"] / 1000, 1),
        "last_seconds": round(max(back), 1),
        "refused_tries": refused,
        "operators_p99_ms": percentiles(operators)["p99_ms"],
    }


async def _watch(late: list[float]) -> None:
    """By how much the load itself was late: where that is much, its figures say little of the hub."""
    while True:
        due = time.monotonic() + TICK
        await asyncio.sleep(TICK)
        late.append(time.monotonic() - due)


async def _back(scene: Scene, talk: Talk) -> Ear:
    """Connected, introduced, and shown what was missed."""
    address = f"{scene.a.base_url.replace('http', 'ws', 1)}/w/{scene.site_key}/socket"
    origin = {"Origin": scene.desk.base_url}
    _, ear = await ws_connect(Ear, address, extra_headers=origin, websocket_handshake_timeout=PATIENCE)
    assert isinstance(ear, Ear)
    ear.say(
        type="hello",
        site=scene.site_key,
        token=talk.token,
        conversation=str(talk.id),
        last_seen=SEEN,
        page={"url": "https://www.polaris.example/vps", "title": "Virtual servers"},
    )
    await ear.until(lambda text: text.startswith(b'{"type":"paged"'))
    return ear


def _transactions(url: str) -> int:
    """Each read of the program is one, and each group of writes."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        found = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(found[0]) if found else 0
