"""Two `nightdesk worker`s carry out the steps of promises that ran out, and one of them is killed meanwhile: each step
stands once in the clock's events and once in the ticket's history."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from chat.db import Database
from tests.support.clock import FakeClock
from tests.support.databases import PostgresMaker
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.tickets import company

TICKETS = 120
WITHIN = 60.0


@pytest.fixture
def desk(postgres_maker: PostgresMaker, redis_server: RedisServer) -> Iterator[Desk]:
    desk = Desk(postgres_maker.make(), redis_server.url)
    try:
        yield desk
    finally:
        desk.remove()


async def open_tickets(url: str, ago: timedelta) -> None:
    db = Database(url)
    clock = FakeClock(datetime.now(UTC) - ago)
    try:
        async with company(db, clock) as acme:
            for _ in range(TICKETS):
                await acme.another_visitor()
                await acme.ticket("The server does not answer")
    finally:
        await db.close()


def count(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def until(url: str, query: str, holds: Callable[[int], bool]) -> int:
    """Looks again and again: processes of others offer no event to wait for."""
    end = time.monotonic() + WITHIN
    while not holds(number := count(url, query)) and time.monotonic() < end:
        time.sleep(0.01)
    return number


async def test_each_alarm_once_though_a_worker_is_killed(desk: Desk) -> None:
    url = desk.environment()["NIGHTDESK_DATABASE_URL"]
    await open_tickets(url, timedelta(minutes=11))
    first, _ = desk.work(), desk.work()
    done = "SELECT count(*) FROM sla_event"
    begun = await asyncio.to_thread(until, url, done, lambda number: number > 0)
    first.send(signal.SIGKILL)
    first.wait()
    assert 0 < begun < 4 * TICKETS, "it was killed in the middle"
    first.start()
    running = "SELECT count(*) FROM sla_clock WHERE next_at IS NOT NULL"
    await asyncio.to_thread(until, url, running, lambda number: number == 0)
    assert count(url, done) == 4 * TICKETS, "5, 8, 9 and 10 minutes"
    assert count(url, "SELECT count(*) FROM ticket_event WHERE type = 'alarm'") == 3 * TICKETS
    assert count(url, "SELECT count(*) FROM ticket_event WHERE type = 'breached'") == TICKETS
