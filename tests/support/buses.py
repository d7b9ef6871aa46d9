"""Several processes on one bus, in memory or over Redis, and their neighbours: who loses, forges and repeats."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis

from chat.hub.bus import Bus
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.hub.process_bus import ProcessBus
from chat.hub.redis_bus import RedisBus
from chat.hub.wire import Carried, Pace, Wire

SECRET = "a key for tests"
QUICK = Pace(beat=0.2, deaf=3.0, forget=2.0)


class Street(Protocol):
    """Where the processes of one desk and their neighbours live."""

    def bus(self) -> ProcessBus: ...

    async def publish(self, channel: bytes, data: bytes) -> None:
        """As anybody may who reaches the broker."""
        ...


class MemoryStreet:
    def __init__(self) -> None:
        self._broker = MemoryBroker()

    def bus(self) -> ProcessBus:
        return MemoryBus(self._broker, SECRET, pace=QUICK)

    async def publish(self, channel: bytes, data: bytes) -> None:
        self._broker.publish(channel, data)


class RedisStreet:
    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix

    def bus(self) -> ProcessBus:
        return RedisBus(self._url, SECRET, prefix=self._prefix, pace=QUICK)

    async def publish(self, channel: bytes, data: bytes) -> None:
        async with Redis.from_url(self._url, protocol=2) as client:
            await client.publish(channel, data)


class LosingWire:
    """A wire that can lose what is sent, and writes down what it carried."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.loses = False
        self.carried: list[tuple[bytes, bytes]] = []

    async def start(self, channels: tuple[bytes, ...], bus: Carried) -> None:
        await self._wire.start(channels, bus)

    async def stop(self) -> None:
        await self._wire.stop()

    def send(self, batches: list[tuple[bytes, bytes]]) -> None:
        if not self.loses:
            self.carried += batches
            self._wire.send(batches)

    def renew(self) -> None:
        self._wire.renew()

    @property
    def is_ready(self) -> bool:
        return self._wire.is_ready


PROBE = b"probe"


class Ear:
    """A process on the bus that writes down what it hears, but for the probes of `followed`."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, bytes]] = []
        self.probed: set[str] = set()
        self.gaps = 0
        self.news = asyncio.Event()

    async def start(self) -> None:
        await self.bus.start(self.hint, self._gap)

    def hint(self, topic: str, payload: bytes) -> None:
        if payload == PROBE:
            self.probed.add(topic)
        else:
            self.heard.append((topic, payload))
        self.news.set()

    def _gap(self) -> None:
        self.gaps += 1
        self.news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self.news.clear()
                await self.news.wait()

    async def until_up(self) -> None:
        async with asyncio.timeout(10):
            while not self.bus.is_up:
                self.news.clear()
                await self.news.wait()


def bus_of(ear: Ear) -> ProcessBus:
    assert isinstance(ear.bus, ProcessBus)
    return ear.bus


def losing(bus: ProcessBus) -> LosingWire:
    """Before the bus is started."""
    bus._wire = wire = LosingWire(bus._wire)
    return wire


async def killed(bus: ProcessBus) -> None:
    """Without a word, as by kill -9."""
    if bus._ticking is not None:
        bus._ticking.cancel()
    await bus._wire.stop()


async def follow(ear: Ear, by: Ear, topic: str) -> None:
    """Follows and proves it: the other process learns of it in its own time."""
    ear.bus.follow(topic)
    await followed(ear, by, topic)


async def followed(ear: Ear, by: Ear, topic: str) -> None:
    ear.probed.discard(topic)
    async with asyncio.timeout(20):
        while topic not in ear.probed:
            by.bus.publish(topic, PROBE)
            ear.news.clear()
            try:
                async with asyncio.timeout(0.2):
                    await ear.news.wait()
            except TimeoutError:
                continue


async def until(fits: Callable[[], bool], seconds: float = 20) -> None:
    """For what a bus knows and tells nobody."""
    async with asyncio.timeout(seconds):
        while not fits():  # noqa: ASYNC110 — there is no event: nobody else needs one
            await asyncio.sleep(0.02)
