"""Two servers, of today and of tomorrow side by side while one version follows the other, and back: people notice
nothing, and what today's version does not know it leaves alone."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from tests.support.databases import PostgresMaker
from tests.support.nightdesk import NIGHTDESK
from tests.support.servers import RedisServer
from tests.support.serving import Desk, Process
from tests.support.steady import Steady, percentile, rolling_restart, steady
from tests.support.tomorrow import SCHEMA
from tests.support.views import check

TODAY = [NIGHTDESK]
TOMORROW = [sys.executable, "-m", "tests.support.tomorrow"]
PAIRS = 2
PAUSE_SECONDS = 6.0
"""The promise is 2 s; here servers, clients and whatever else runs share two cores."""


@pytest.fixture
def desk(postgres_maker: PostgresMaker, redis_server: RedisServer) -> Iterator[Desk]:
    desk = Desk(postgres_maker.make(empty=True), redis_server.url)
    try:
        desk.prepare()
        yield desk
    finally:
        desk.remove()


def become(server: Process, program: list[str]) -> None:
    server.program = program
    server.end(signal.SIGTERM)
    server.start()


async def heard(people: Steady) -> None:
    """Everybody says so much more, and hears it."""
    for view in people.views:
        wanted = len(view.waits) + 3
        await view.until(lambda view=view, wanted=wanted: len(view.waits) >= wanted, "heard")  # type: ignore[misc]


async def test_an_upgrade_server_by_server_and_back(desk: Desk) -> None:
    first, second = [await asyncio.to_thread(desk.serve) for _ in range(2)]
    links = [await asyncio.to_thread(desk.sign_in_link, f"Operator {n}", "--capacity", "1") for n in range(PAIRS)]
    url = desk.environment()["NIGHTDESK_DATABASE_URL"]
    pauses: list[float] = []
    async with steady(desk.base_url, [first.base_url, second.base_url], links) as people:
        await heard(people)
        with psycopg.connect(url) as connection:
            for statement in SCHEMA:
                connection.execute(statement.encode())
        await heard(people)
        for server, program in ((first, TOMORROW), (second, TOMORROW), (first, TODAY), (second, TODAY)):
            pauses += await rolling_restart(people, [partial(become, server, program)])
            await heard(people)
    p95 = percentile(pauses, 0.95)
    print(f"longest wait of each view in each restart: p50 {percentile(pauses, 0.5):.2f} s, p95 {p95:.2f} s")
    assert p95 < PAUSE_SECONDS
    with psycopg.connect(url) as connection:
        for ann in people.visitors:
            rows = connection.execute(
                "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
                (ann.conversation,),
            ).fetchall()
            stored = [(int(seq), str(text)) for seq, text in rows]
            check(ann, people.answering(ann), stored, people.said[ann.conversation])
    # It was tomorrow indeed, and nothing of it was a fault to anybody.
    for view in people.views:
        kinds = Counter(entry["kind"] for entry in view.shown)
        assert kinds["foretold"] > 0
        assert view.types["foretold"] > 0
    for server in (first, second):
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        assert [line for line in lines if line["level"] == "error" or "exception" in line] == []
