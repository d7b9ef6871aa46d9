"""Faults of Redis and of the way to it. With the bus away no message is lost, each is late by 3 s at most."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import redis

from tests.acceptance.matrix.scene import Scene, cells
from tests.support.faults import ThreadedProxy
from tests.support.servers import RedisServer

ADDED = 3.0
NORMAL = 10.0
LARGE = 40 * 1024 * 1024


def server_of(scene: Scene) -> RedisServer:
    assert scene.stage.redis is not None
    return scene.stage.redis


def link_of(scene: Scene) -> ThreadedProxy:
    assert scene.stage.redis_link is not None
    return scene.stage.redis_link


def ask(scene: Scene, act: "Callable[[redis.Redis], Any]") -> Any:
    with redis.Redis.from_url(server_of(scene).url, socket_timeout=10) as client:
        return act(client)


def kill_redis(scene: Scene) -> None:
    scene.demand_added_delay(ADDED)
    scene.demand_normal_within(NORMAL)
    scene.demand_no_errors()
    for _ in range(scene.times(5)):
        scene.strike()
        server_of(scene).kill()
        scene.wait(20, 3)
        server_of(scene).start()
        scene.over()
        scene.wait(15, 2)


def flush_redis(scene: Scene) -> None:
    """FLUSHALL every second for a minute."""
    scene.strike()
    for _ in range(scene.times(60, 4)):
        ask(scene, lambda client: client.flushall())
        scene.wait(1, 0.5)
    scene.over()
    scene.demand_added_delay(ADDED)
    scene.demand_normal_within(NORMAL)
    scene.demand_no_errors()


def hang_redis(scene: Scene) -> None:
    """SIGSTOP for a minute: acknowledgements go on."""
    scene.strike()
    server_of(scene).pause()
    try:
        scene.wait(60, 6)
    finally:
        server_of(scene).resume()
    scene.over()
    scene.demand_added_delay(ADDED)
    scene.demand_normal_within(NORMAL)
    scene.demand_no_errors()


def orphan_the_link(scene: Scene) -> None:
    """The way of one hub to Redis is half-open: it hears nothing and gets no error."""
    scene.strike()
    struck = link_of(scene).do(lambda proxy: proxy.orphan())
    scene.wait(20, 6)
    scene.over()
    scene.demand_added_delay(ADDED)
    scene.demand_normal_within(NORMAL)
    scene.demand_now("there was a link to orphan", struck > 0, f"{struck} links")
    scene.demand_no_errors()


def unsubscribe_all(scene: Scene) -> None:
    """CLIENT KILL TYPE pubsub."""
    scene.strike()
    ask(scene, lambda client: client.client_kill_filter(_type="pubsub"))
    all_subscribed(scene)


def publish_too_much(scene: Scene) -> None:
    """40 MB by a neighbour, to every channel that somebody listens to."""
    scene.strike()

    def shout(client: "redis.Redis") -> None:
        for channel in client.pubsub_channels():
            client.publish(channel, b"x" * (LARGE if not scene.short else LARGE // 8))

    ask(scene, shout)
    all_subscribed(scene)


def starve_redis(scene: Scene) -> None:
    """maxmemory 1 MB, and no eviction."""
    scene.strike()
    ask(scene, lambda client: client.config_set("maxmemory", "1mb"))
    scene.wait(10, 2)
    ask(scene, lambda client: client.config_set("maxmemory", "0"))
    all_subscribed(scene)


def all_subscribed(scene: Scene) -> None:
    """All hubs listen again."""
    until = monotonic() + scene.limit(NORMAL)
    listening = 0
    while listening < len(scene.stage.hubs) and monotonic() < until:
        listening = ask(scene, lambda client: len(client.client_list(_type="pubsub")))
        sleep(0.1)  # Redis tells nobody who subscribes
    scene.over()
    scene.demand_now("all hubs subscribed again", listening >= len(scene.stage.hubs), f"{listening} listen")
    scene.demand_added_delay(ADDED)
    scene.demand_no_errors()


def cut_from_redis(scene: Scene) -> None:
    """One hub alone cannot reach Redis."""
    scene.strike()
    link_of(scene).do(lambda proxy: proxy.cut())
    try:
        scene.wait(20, 4)
    finally:
        link_of(scene).reopen()
    scene.over()
    scene.demand_added_delay(ADDED)
    scene.demand_normal_within(NORMAL)
    scene.demand_no_errors()


CLUSTER = ("postgresql",)
CELLS = [
    *cells(5, "Redis killed and started", kill_redis, ("L1", "L2"), CLUSTER),
    *cells(5, "FLUSHALL every second for a minute", flush_redis, ("L1", "L2"), CLUSTER),
    *cells(6, "Redis hung for 60 s", hang_redis, ("L1",), CLUSTER),
    *cells(7, "link to Redis half-open", orphan_the_link, ("L1",), CLUSTER),
    *cells(8, "CLIENT KILL TYPE pubsub", unsubscribe_all, ("L1",), CLUSTER),
    *cells(8, "40 MB published by a neighbour", publish_too_much, ("L1",), CLUSTER, in_short=False),
    *cells(8, "maxmemory 1 MB", starve_redis, ("L1",), CLUSTER, in_short=False),
    *cells(9, "hub cut from Redis only", cut_from_redis, ("L1",), CLUSTER),
]
