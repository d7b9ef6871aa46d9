"""A database that says nothing any more, over a line that stays: who comes is not taken in to wait for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat.hub.gate import LATE_SECONDS, LATE_STEP_SECONDS, PLACES_PER_ADDRESS
from tests.support.buses import until
from tests.support.databases import PostgresMaker
from tests.support.faults import FaultProxy
from tests.support.lines import line
from tests.support.program import Client, Running, program
from tests.support.servers import PostgresServer

OVER = 30.0
CROWD = 20


@pytest.fixture
async def road(postgres_server: PostgresServer) -> AsyncIterator[FaultProxy]:
    road = FaultProxy("127.0.0.1", postgres_server.port)
    await road.start()
    yield road
    await road.stop()


@pytest.fixture
async def running(
    tmp_path: Path, postgres_server: PostgresServer, postgres_maker: PostgresMaker, road: FaultProxy
) -> AsyncIterator[Running]:
    url = postgres_maker.make().replace(f":{postgres_server.port}/", f":{road.port}/")
    async with program(tmp_path, url) as running:
        yield running


async def asked(running: Running, path: str = "") -> tuple[int, bytes]:
    async with line(running) as one:
        return await one.ask(running, path=path), one.answer.lower()


async def test_a_crowd_that_comes_back_meanwhile_is_refused_at_once_and_operators_are_not(
    running: Running, road: FaultProxy
) -> None:
    ann = await running.visitor_who_said()
    again = await Client.connect(running, f"/w/{running.site_key}/socket")
    assert road.orphan() > 0
    await again.send("hello", site=running.site_key, token=ann.token)
    visitors = running.desk.visitor_sockets
    await until(lambda: visitors.lateness > LATE_SECONDS, OVER)
    began = asyncio.get_running_loop().time()
    crowd = [asyncio.create_task(asked(running)) for _ in range(CROWD)]
    operator = await asked(running, "/console/socket")
    beyond = CROWD - PLACES_PER_ADDRESS - 1
    first = [await one for _, one in zip(range(beyond), asyncio.as_completed(crowd), strict=False)]
    # At once: others stand in line still.
    guest, queue = object(), running.desk.gate.line
    assert queue.join(guest, "192.0.2.1")
    assert not queue.call(guest, running.desk.clock.monotonic())
    queue.leave(guest)
    assert [status for status, _ in first].count(503) >= beyond - 2
    assert visitors.lateness > LATE_SECONDS
    assert operator[0] == 101
    answers = await asyncio.gather(*crowd)
    took = asyncio.get_running_loop().time() - began
    let_in = [status for status, _ in answers].count(101)
    # To see how things stand; where it caught up meanwhile, whoever stood in line.
    assert let_in <= max(PLACES_PER_ADDRESS + 1, 2 + took / LATE_STEP_SECONDS)
    assert all(b"retry-after: " in answer for status, answer in answers if status == 503)
    assert {status for status, _ in answers} <= {101, 503}
    # The hanging question ends by itself, its client comes back, and everybody is let in again.
    await again.close_code(OVER)
    await until(lambda: visitors.lateness == 0, OVER)
    back = await running.visitor(token=ann.token)
    assert back.welcomed["known"]
