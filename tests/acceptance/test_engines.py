"""Redis with TLS, a user of few rights and a cluster; PostgreSQL with the settings that the README shows, and a pair of
which the first dies: all as a company would have them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from chat.hub.redis_bus import RedisBus
from tests.support.buses import QUICK, SECRET, Ear, follow, until
from tests.support.engines import RedisCluster, SecureRedis, ShownPostgres, Standby
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.steady import Steady, steady
from tests.support.views import check

PAIRS = 2
CONNECTIONS = 11
"""Of one process, as the README says."""
FORBIDDEN = ("PUBLISH another:x y", "GET nightdesk:x", "FLUSHALL", "CONFIG GET *", "CLIENT KILL TYPE pubsub")


@pytest.fixture(scope="module")
def redis() -> Iterator[SecureRedis]:
    with SecureRedis() as server:
        yield server


@pytest.fixture
async def cluster() -> AsyncIterator[RedisCluster]:
    cluster = RedisCluster()
    try:
        await asyncio.to_thread(cluster.start)
        await until(cluster.knows_all)
        yield cluster
    finally:
        await asyncio.to_thread(cluster.remove)


@asynccontextmanager
async def talking(desk: Desk) -> AsyncIterator[Steady]:
    """Visitors and operators on two servers, all the time; in the end all is stored and on both screens, in order."""
    servers = [await asyncio.to_thread(desk.serve) for _ in range(2)]
    links = [await asyncio.to_thread(desk.sign_in_link, f"Operator {n}", "--capacity", "1") for n in range(PAIRS)]
    async with steady(desk.base_url, [server.base_url for server in servers], links) as people:
        yield people
    with psycopg.connect(desk.environment()["NIGHTDESK_DATABASE_URL"]) as connection:
        for ann in people.visitors:
            rows = connection.execute(
                "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
                (ann.conversation,),
            ).fetchall()
            stored = [(int(seq), str(text)) for seq, text in rows]
            check(ann, people.answering(ann), stored, people.said[ann.conversation])


async def heard(people: Steady, count: int) -> None:
    """Each says so much more, and hears it."""
    for view in people.views:
        wanted = len(view.waits) + count
        await view.until(lambda view=view, wanted=wanted: len(view.waits) >= wanted, "heard")  # type: ignore[misc]


async def test_over_tls_with_a_user_of_few_rights_on_the_postgresql_of_the_readme(redis: SecureRedis) -> None:
    postgres = ShownPostgres()
    try:
        await asyncio.to_thread(postgres.start)
        desk = Desk(postgres.url(), redis.url())
        try:
            await asyncio.to_thread(desk.prepare)
            async with talking(desk) as people:
                await heard(people, 3)
                found = await asyncio.to_thread(desk.findings)
                assert [one["ok"] for one in found if one["name"] == "bus"] == [True]
                assert postgres.tell("SHOW client_connection_check_interval") == [("10s",)]
                sessions = postgres.tell("SELECT pid FROM pg_stat_activity WHERE application_name = 'nightdesk'")
                assert 2 <= len(sessions) <= 2 * CONNECTIONS
        finally:
            await asyncio.to_thread(desk.remove)
    finally:
        await asyncio.to_thread(postgres.remove)


async def test_the_user_may_publish_and_listen_on_our_channels_and_no_more(redis: SecureRedis) -> None:
    def try_all() -> None:
        with Redis.from_url(redis.url(), protocol=2) as client:
            assert client.publish("nightdesk:x", "y") == 0
            for command in FORBIDDEN:
                with pytest.raises(NoPermissionError):
                    client.execute_command(*command.split())
        with Redis.from_url(redis.url("wrong"), protocol=2) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()

    await asyncio.to_thread(try_all)


async def test_any_node_of_a_cluster_carries_the_bus(cluster: RedisCluster) -> None:
    ears = [Ear(RedisBus(node.url, SECRET, pace=QUICK)) for node in cluster.nodes]
    ann, omar, rita = ears
    try:
        for ear in ears:
            await ear.start()
            await ear.until_up()
        await follow(omar, ann, "conversation:1")
        await follow(rita, ann, "conversation:2")
        await asyncio.to_thread(cluster.nodes[2].kill)
        await until(lambda: not rita.bus.is_up)
        ann.bus.publish("conversation:1", b"two nodes are enough")
        await omar.until(1)
        await asyncio.to_thread(cluster.nodes[2].start)
        await rita.until_up()
        rita.heard.clear()
        await follow(rita, ann, "conversation:3")
    finally:
        for ear in ears:
            await ear.bus.stop()


async def test_the_first_of_a_pair_dies_and_nothing_that_was_acknowledged_is_lost(redis_server: RedisServer) -> None:
    first = ShownPostgres(is_primary=True)
    second = Standby(first)
    try:
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(second.start)
        await asyncio.to_thread(first.wait_for_standby)
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        desk = Desk(f"postgresql://postgres@{hosts}/postgres", redis_server.url)
        try:
            await asyncio.to_thread(desk.prepare)
            async with talking(desk) as people:
                assert first.tell("SELECT sync_state FROM pg_stat_replication") == [("quorum",)]
                await heard(people, 2)
                await asyncio.to_thread(first.kill)
                await asyncio.to_thread(second.promote)
                await heard(people, 2)
        finally:
            await asyncio.to_thread(desk.remove)
    finally:
        for server in (second, first):
            await asyncio.to_thread(server.remove)
