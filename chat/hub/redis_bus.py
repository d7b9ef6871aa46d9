"""The bus over Redis pub/sub: two lines, one that publishes and one that listens, and a task that opens them again.

Commands used: PUBLISH and SUBSCRIBE. Plain pub/sub goes through every node of a Redis Cluster, so the address of any
node will do.
"""

import asyncio
from functools import partial
from time import monotonic
from typing import Any

import hiredis
import structlog
from redis.exceptions import RedisError

from chat.hub.process_bus import ProcessBus
from chat.hub.redis_line import RedisLine
from chat.hub.wire import Carried, Pace
from chat.supervision import supervised

UNANSWERED = 64
"""Batches under way. Beyond, hints wait and their batches grow: the slower Redis is, the less each of them costs it."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

log = structlog.get_logger(__name__)


class RedisWire:
    def __init__(self, url: str, subscribe_seconds: float) -> None:
        self._url = url
        self._subscribe_seconds = subscribe_seconds
        self._bus: Carried | None = None
        self._channels: tuple[bytes, ...] = ()
        self._publisher: RedisLine | None = None
        self._unanswered = 0
        self._subscribed: set[bytes] = set()
        self._all_subscribed = asyncio.Event()
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._refusal = ""

    async def start(self, channels: tuple[bytes, ...], bus: Carried) -> None:
        self._channels, self._bus = channels, bus
        self._task = asyncio.create_task(supervised("bus lines", partial(self._supervise, bus)), name="bus lines")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_ready(self) -> bool:
        return self._publisher is not None and self._unanswered < UNANSWERED

    def send(self, batches: list[tuple[bytes, bytes]]) -> None:
        if self._publisher is not None:
            self._unanswered += len(batches)
            self._publisher.write([(b"PUBLISH", channel, data) for channel, data in batches])

    def renew(self) -> None:
        self._lost.set()

    async def _supervise(self, bus: Carried) -> None:
        """For ever: one listener that ended without a word has left a process deaf for a day elsewhere."""
        pause = FIRST_PAUSE
        while True:
            listener: RedisLine | None = None
            self._lost.clear()
            try:
                listener = await RedisLine.open(self._url, self._heard, self._lost.set)
                await self._subscribe(listener)
                self._unanswered = 0
                self._publisher = await RedisLine.open(self._url, self._answered, self._lost.set)
                opened = monotonic()
                bus.wire_opened()
                await self._lost.wait()
                if monotonic() - opened > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
            except (RedisError, OSError, TimeoutError) as error:
                self._refused(f"{type(error).__name__}: {error}")
            except Exception:
                log.exception("the lines of the bus failed")
            finally:
                bus.wire_closed()
                lines, self._publisher = (listener, self._publisher), None
                closing = [line.close() for line in lines if line is not None]
                await asyncio.gather(*closing, return_exceptions=True)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _subscribe(self, listener: RedisLine) -> None:
        self._subscribed.clear()
        self._all_subscribed.clear()
        listener.write([(b"SUBSCRIBE", *self._channels)])
        async with asyncio.timeout(self._subscribe_seconds):
            await self._all_subscribed.wait()

    def _heard(self, reply: Any) -> None:
        match reply:
            case [b"message", bytes() as channel, bytes() as data]:
                if self._bus is not None:
                    self._bus.take(channel, data)
            case [b"subscribe", bytes() as channel, _]:
                self._subscribed.add(channel)
                if self._subscribed == set(self._channels):
                    self._all_subscribed.set()
            case hiredis.ReplyError():
                self._refused(str(reply))
                self._lost.set()

    def _answered(self, reply: Any) -> None:
        self._unanswered -= 1
        if isinstance(reply, hiredis.ReplyError):
            self._refused(str(reply))
        if self._unanswered == 0 and self._bus is not None:
            self._bus.wire_ready()

    def _refused(self, why: str) -> None:
        """Said once, until it is another reason: Redis may be away for hours."""
        if why != self._refusal:
            self._refusal = why
            log.warning("redis refuses the bus", error=why[:200])


class RedisBus(ProcessBus):
    def __init__(self, url: str, secret_key: str, *, prefix: str = "nightdesk:", pace: Pace | None = None) -> None:
        pace = pace or Pace()
        super().__init__(RedisWire(url, pace.deaf), secret_key, prefix=prefix, pace=pace)
