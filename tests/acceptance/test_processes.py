"""Two servers and a worker on PostgreSQL and Redis, as on two hosts: one desk. Any of them may be killed, and Redis may
stop and come back: what was acknowledged is there once, and every view shows it once and in order."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from chat.ids import new_id
from tests.support.databases import PostgresMaker
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.views import View, begin, check


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of this test alone: it is stopped and started."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis: RedisServer) -> AsyncIterator[Desk]:
    desk = Desk(postgres_maker.make(empty=True), redis.url)
    try:
        await asyncio.to_thread(desk.command, "migrate")
        await asyncio.to_thread(
            desk.command, "site", "add", "--key", "polaris", "--name", "P", "--origin", "https://p.example"
        )
        yield desk
    finally:
        await asyncio.to_thread(desk.remove)


def rows_of(url: str, conversation: str) -> list[tuple[int, str]]:
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        found = connection.execute(
            "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
            (conversation,),
        )
        return [(int(row[0]), str(row[1])) for row in found.fetchall()]


async def test_a_server_killed_in_mid_conversation_and_redis_away_lose_double_and_reorder_nothing(
    desk: Desk, redis: RedisServer
) -> None:
    first, second = [await asyncio.to_thread(desk.serve) for _ in range(2)]
    link = json.loads(desk.command("operator", "add", "--email", "omar@desk.example", "--name", "Omar", "--json"))[
        "sign_in"
    ]
    ann = View(desk.base_url, [first.base_url, second.base_url])
    omar = View(desk.base_url, [second.base_url, first.base_url], link=link)
    living = [asyncio.create_task(view.live()) for view in (ann, omar)]
    said = ["message 0"]

    async def talk(count: int) -> None:
        for _ in range(count):
            for view in (ann, omar):
                text = f"message {len(said)}"
                said.append(text)
                await view.say(text)

    async def settled(what: str) -> None:
        for view in (ann, omar):
            await view.until(lambda view=view: len(view.texts()) == len(said) and not view.unsent, what)  # type: ignore[misc]

    try:
        await omar.until(lambda: omar.attended, "Omar attends")
        await begin(ann, [omar], "message 0")
        await talk(4)
        await settled("all heard on two servers")

        await talk(2)
        await asyncio.to_thread(first.end, signal.SIGKILL)
        await talk(2)
        await settled("all heard after a server was killed")
        await asyncio.to_thread(first.start)

        await asyncio.to_thread(second.end, signal.SIGKILL)
        await talk(2)
        await settled("all heard after the other was killed")
        await asyncio.to_thread(second.start)

        for process in (first, second):
            await talk(1)
            await asyncio.to_thread(process.end, signal.SIGTERM)
            await talk(1)
            await settled("all heard over a restart")
            await asyncio.to_thread(process.start)
        assert ann.retirements + omar.retirements >= 2

        await asyncio.to_thread(redis.kill)
        await talk(3)
        await settled("all heard without Redis")
        await asyncio.to_thread(redis.start)
        await talk(3)
        await settled("all heard with Redis back")
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        if omar.browser is not None:
            await omar.browser.aclose()
    url = desk.environment()["NIGHTDESK_DATABASE_URL"]
    check(ann, omar, await asyncio.to_thread(rows_of, url, ann.conversation), said)


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
