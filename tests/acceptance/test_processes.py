"""A server and a worker on PostgreSQL and Redis, as on two hosts: one desk."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from chat.ids import new_id
from tests.support.databases import PostgresMaker
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.views import View


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of this test alone: it is stopped and started."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis: RedisServer) -> AsyncIterator[Desk]:
    desk = Desk(postgres_maker.make(), redis.url)
    try:
        await asyncio.to_thread(desk.command, "migrate")
        await asyncio.to_thread(
            desk.command, "site", "add", "--key", "polaris", "--name", "P", "--origin", "https://p.example"
        )
        yield desk
    finally:
        await asyncio.to_thread(desk.remove)


async def test_a_message_left_is_made_a_ticket_by_the_worker(desk: Desk) -> None:
    server = await asyncio.to_thread(desk.serve)
    await asyncio.to_thread(desk.work)
    ann = View(desk.base_url, [server.base_url])
    living = asyncio.create_task(ann.live())
    try:
        await ann.until(lambda: ann.socket is not None, "Ann is connected")
        await ann.send("enroll")
        await ann.until(lambda: bool(ann.token), "a token")
        await ann.send(
            "leave", ref=f"ref-{new_id().hex}", email="ann@novak-atelje.si", text="Call me about the invoice"
        )
        await ann.until(lambda: any(entry["kind"] == "card" for entry in ann.shown), "a ticket card")
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


def test_behind_head_postgresql_is_refused_with_what_to_do(postgres_maker: PostgresMaker, redis: RedisServer) -> None:
    desk = Desk(postgres_maker.make(empty=True), redis.url)
    try:
        with pytest.raises(RuntimeError, match="nightdesk migrate"):
            desk.command("worker")
    finally:
        desk.remove()
