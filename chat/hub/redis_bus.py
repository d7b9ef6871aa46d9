"""The bus over Redis pub/sub.

One pump task sends everything that waits in one pipeline per turn of the loop. One supervised listener owns the
pub/sub connection. Redis clients can go deaf for good on a half-open link, without an exception (reliability.md,
section 2), so this bus publishes to a topic of its own every 2 s and expects to hear it: nothing heard for 5 s means a
new connection, the same subscriptions, and `on_gap`.
"""

import asyncio
import contextlib
from collections.abc import Callable
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from chat.hub.bus import MAX_PAYLOAD, Hint

BEAT_SECONDS = 2.0
DEAF_SECONDS = 5.0
MAX_WAITING = 10_000
"""Hints kept while Redis is slow; beyond, the oldest go (the sweep finds what they said)."""

log = structlog.get_logger(__name__)


class RedisBus:
    def __init__(self, url: str, *, prefix: str = "nightdesk:", deaf_seconds: float = DEAF_SECONDS) -> None:
        self._url = url
        self._prefix = prefix
        self._deaf_seconds = deaf_seconds
        self._id = uuid4().hex
        self._own = f"{prefix}hub:{self._id}"
        self._topics: set[str] = set()
        self._waiting: list[tuple[str, bytes]] = []
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._heard = 0.0
        self._up = False
        self._tasks: list[asyncio.Task[None]] = []
        self._on_hint: Hint = lambda _topic, _payload: None
        self._on_gap: Callable[[], None] = lambda: None

    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None:
        self._on_hint, self._on_gap = on_hint, on_gap
        self._tasks = [
            asyncio.create_task(self._pump(), name="bus pump"),
            asyncio.create_task(self._supervise(), name="bus listener"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._up = False

    def publish(self, topic: str, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            raise ValueError("a hint holds at most 4 kB")
        if len(self._waiting) >= MAX_WAITING:
            del self._waiting[: MAX_WAITING // 2]
        self._waiting.append((topic, payload))
        self._wake.set()

    def follow(self, topic: str) -> None:
        if topic not in self._topics:
            self._topics.add(topic)
            self._changed.set()

    def unfollow(self, topic: str) -> None:
        if topic in self._topics:
            self._topics.discard(topic)
            self._changed.set()

    @property
    def is_up(self) -> bool:
        return self._up

    def _client(self) -> Redis:
        # RESP2: with RESP3 the client formats each payload for a debug log (performance.md, section 3).
        return Redis.from_url(self._url, protocol=2, socket_connect_timeout=3, socket_timeout=None)

    async def _pump(self) -> None:
        client = self._client()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                batch, self._waiting = self._waiting, []
                pipeline = client.pipeline(transaction=False)
                for topic, payload in batch:
                    pipeline.publish(self._prefix + topic, self._id.encode() + payload)
                try:
                    async with asyncio.timeout(self._deaf_seconds):
                        await pipeline.execute()
                except Exception:
                    # Whatever it was: a pump that ended would leave this process dumb for good. These hints are lost
                    # and the sweep finds what they said; a fresh connection for the next ones.
                    with contextlib.suppress(Exception):
                        await client.aclose()
                    client = self._client()
        finally:
            with contextlib.suppress(Exception):
                await client.aclose()

    async def _supervise(self) -> None:
        pause = 0.1
        while True:
            client = self._client()
            pubsub = client.pubsub()
            try:
                await self._listen(client, pubsub)
            except Exception as error:
                # Whatever it was: one listener that ended left a process deaf for a day (reliability.md, section 2).
                if self._up:
                    log.warning("the bus went away", error=type(error).__name__)
                    pause = 0.1
                self._up = False
            finally:
                with contextlib.suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                with contextlib.suppress(Exception):
                    await client.aclose()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _listen(self, client: Redis, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        subscribed = set(self._topics)
        async with asyncio.timeout(self._deaf_seconds):
            await pubsub.subscribe(self._own, *(self._prefix + topic for topic in subscribed))
        self._heard = loop.time()
        helpers = [
            asyncio.create_task(self._beat(client), name="bus beat"),
            asyncio.create_task(self._resubscribe(pubsub, subscribed), name="bus subscriptions"),
        ]
        try:
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.5)
                if message is not None:
                    self._take(message["channel"].decode(), message["data"])
                elif loop.time() - self._heard > self._deaf_seconds:
                    raise TimeoutError("deaf")
                for helper in helpers:
                    if helper.done():
                        helper.result()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _resubscribe(self, pubsub: PubSub, subscribed: set[str]) -> None:
        """Follows what changed. If it fails, the listener begins anew."""
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = set(self._topics)
            if new := wanted - subscribed:
                await pubsub.subscribe(*(self._prefix + topic for topic in new))
            if old := subscribed - wanted:
                await pubsub.unsubscribe(*(self._prefix + topic for topic in old))
            subscribed = wanted

    async def _beat(self, client: Redis) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await client.publish(self._own, self._id.encode())
            await asyncio.sleep(BEAT_SECONDS)

    def _take(self, channel: str, data: bytes) -> None:
        if channel == self._own:
            self._heard = asyncio.get_running_loop().time()
            if not self._up:
                self._up = True
                log.info("the bus is up")
                self._on_gap()
            return
        sender, payload = data[:32], data[32:]
        if sender != self._id.encode() and len(payload) <= MAX_PAYLOAD:
            self._on_hint(channel.removeprefix(self._prefix), payload)
