"""What Redis does to a bus: it restarts, hangs, kills listeners, forgets everything, allows little. Nothing of it needs
a restart of ours, and all of it is known here within seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chat.hub.redis_bus import RedisBus
from chat.hub.redis_line import RedisLine
from chat.hub.wire import Pace
from tests.support.buses import QUICK, SECRET, Ear, RedisStreet, bus_of, follow, followed, until
from tests.support.certificates import certificate
from tests.support.faults import FaultProxy
from tests.support.servers import RedisServer
from tests.support.tunnel import tls_before


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Of this test alone: it is stopped, hung and flooded."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[Ear, Ear]]:
    """Omar follows what Ann publishes on `a`."""
    street = RedisStreet(redis.url, f"{uuid4().hex}:")
    ann, omar = Ear(street.bus()), Ear(street.bus())
    for ear in (ann, omar):
        await ear.start()
        await ear.until_up()
    await follow(omar, ann, "a")
    yield ann, omar
    for ear in (ann, omar):
        await ear.bus.stop()


async def listeners(redis: RedisServer, ear: Ear) -> int:
    """How many listen on the channel that is common to all processes."""
    async with Redis.from_url(redis.url, protocol=2) as client:
        return int((await client.pubsub_numsub(bus_of(ear)._all.channel))[0][1])


async def test_it_restarts(redis: RedisServer, pair: tuple[Ear, Ear]) -> None:
    ann, omar = pair
    gaps = omar.gaps
    redis.kill()
    await until(lambda: not ann.bus.is_up and not omar.bus.is_up)
    ann.bus.publish("a", b"lost")
    redis.start()
    await followed(omar, ann, "a")
    assert omar.gaps > gaps
    assert await listeners(redis, ann) == 2


async def test_lines_that_fail_while_they_are_closed_are_opened_again(
    redis: RedisServer, pair: tuple[Ear, Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, omar = pair
    close = RedisLine.close
    failed: list[RedisLine] = []

    async def fails_once(one: RedisLine) -> None:
        await close(one)
        if not failed:
            failed.append(one)
            raise RuntimeError

    monkeypatch.setattr(RedisLine, "close", fails_once)
    redis.kill()
    await until(lambda: not ann.bus.is_up and not omar.bus.is_up)
    redis.start()
    await followed(omar, ann, "a")
    assert failed


async def test_it_hangs_and_that_is_noticed_and_nobody_waits(redis: RedisServer, pair: tuple[Ear, Ear]) -> None:
    ann, omar = pair
    redis.pause()
    try:
        for n in range(5000):
            ann.bus.publish("a", b"%d" % n + b"x" * 500)
        await until(lambda: not ann.bus.is_up and not omar.bus.is_up)
        assert ann.bus.silence_seconds >= 3.0
    finally:
        redis.resume()
    await followed(omar, ann, "a")
    assert omar.bus.silence_seconds < 3.0


async def test_it_kills_all_listeners(redis: RedisServer, pair: tuple[Ear, Ear]) -> None:
    ann, omar = pair
    gaps = omar.gaps
    async with Redis.from_url(redis.url, protocol=2) as client:
        assert await client.client_kill_filter(_type="pubsub") == 2
    await until(lambda: omar.gaps > gaps)
    await followed(omar, ann, "a")
    assert await listeners(redis, ann) == 2


async def test_it_forgets_everything(redis: RedisServer, pair: tuple[Ear, Ear]) -> None:
    ann, omar = pair
    gaps = omar.gaps
    async with Redis.from_url(redis.url, protocol=2) as client:
        for n in range(20):
            await client.flushall()
            ann.bus.publish("a", b"%d" % n)
    await omar.until(20)
    assert omar.heard[-1] == ("a", b"19")
    assert omar.gaps == gaps


async def test_a_neighbour_publishes_more_than_a_listener_may_have_waiting(
    redis: RedisServer, pair: tuple[Ear, Ear]
) -> None:
    """Redis cuts off each listener that has 32 MB waiting: 40 MB on our channel deafen us for a moment."""
    ann, omar = pair
    gaps = omar.gaps
    async with Redis.from_url(redis.url, protocol=2) as client:
        await client.publish(bus_of(omar)._all.channel, b"x" * 40_000_000)
    await until(lambda: omar.gaps > gaps)
    await followed(omar, ann, "a")
    assert await listeners(redis, ann) == 2


async def test_it_has_no_memory_left(redis: RedisServer, pair: tuple[Ear, Ear]) -> None:
    ann, omar = pair
    async with Redis.from_url(redis.url, protocol=2) as client:
        await client.config_set("maxmemory", "1mb")
    ann.bus.publish("a", b"needs none")
    await omar.until(1)


async def test_a_user_who_may_only_publish_and_subscribe_on_our_channels(redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, protocol=2) as admin:
        rules = "on >s3cret resetkeys resetchannels &nightdesk:* -@all +publish +subscribe +unsubscribe +ping"
        await admin.execute_command("ACL", "SETUSER", "nightdesk", *rules.split())  # type: ignore[no-untyped-call]
    url = f"redis://nightdesk:s3cret@127.0.0.1:{redis.port}/0"
    ann, omar = Ear(RedisBus(url, SECRET)), Ear(RedisBus(url, SECRET))
    for ear in (ann, omar):
        await ear.start()
        await ear.until_up()
    await follow(omar, ann, "a")
    for ear in (ann, omar):
        await ear.bus.stop()


async def test_a_wrong_password_leaves_the_process_alive_and_the_bus_down(redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, protocol=2) as admin:
        await admin.execute_command("ACL", "SETUSER", "nightdesk", "on", ">s3cret", "-@all")  # type: ignore[no-untyped-call]
    ann = Ear(RedisBus(f"redis://nightdesk:wrong@127.0.0.1:{redis.port}/0", SECRET))
    await ann.start()
    ann.bus.publish("a", b"nowhere")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ann.until_up()
    await ann.bus.stop()


async def test_two_desks_on_one_redis_do_not_meet(redis: RedisServer) -> None:
    pace = Pace(beat=0.1)
    ann, stranger = Ear(RedisBus(redis.url, SECRET, pace=pace)), Ear(RedisBus(redis.url, "another key", pace=pace))
    for ear in (ann, stranger):
        await ear.start()
        await ear.until_up()
    before = bus_of(ann)._heard_both
    await until(lambda: bus_of(ann)._heard_both > before)  # a beat went by
    assert ann.bus.dropped_bad_mac == stranger.bus.dropped_bad_mac == 0
    assert not bus_of(ann)._gossip.peers
    for ear in (ann, stranger):
        await ear.bus.stop()


async def test_over_tls(redis: RedisServer, tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    async with tls_before(redis.port, made, key) as port:
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={quote(str(made))}"
        ann, omar = Ear(RedisBus(url, SECRET)), Ear(RedisBus(url, SECRET))
        for ear in (ann, omar):
            await ear.start()
            await ear.until_up()
        await follow(omar, ann, "a")
        for ear in (ann, omar):
            await ear.bus.stop()


async def test_a_link_that_is_half_open_is_noticed_and_made_anew(redis: RedisServer) -> None:
    """A NAT that forgot: TCP goes on acknowledging and no error ever comes."""
    proxy = FaultProxy("127.0.0.1", redis.port)
    await proxy.start()
    ann = Ear(RedisBus(redis.url, SECRET, pace=QUICK))
    omar = Ear(RedisBus(f"redis://127.0.0.1:{proxy.port}/0", SECRET, pace=QUICK))
    for ear in (ann, omar):
        await ear.start()
        await ear.until_up()
    await follow(omar, ann, "a")
    gaps, opened = omar.gaps, time.monotonic()
    assert proxy.orphan() == 2
    await until(lambda: omar.gaps > gaps)
    assert time.monotonic() - opened < QUICK.deaf + 5
    await followed(omar, ann, "a")
    for ear in (ann, omar):
        await ear.bus.stop()
    await proxy.stop()
