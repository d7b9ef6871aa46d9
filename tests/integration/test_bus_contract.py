"""One contract for both buses: a hint reaches every other process that follows the topic."""

import asyncio
from collections.abc import Callable

import pytest

from chat.hub.bus import Bus


class Ear:
    """A process on the bus that writes down what it hears."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, bytes]] = []
        self.gaps = 0
        self.news = asyncio.Event()

    async def start(self) -> None:
        await self.bus.start(self._hint, self._gap)

    def _hint(self, topic: str, payload: bytes) -> None:
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


@pytest.fixture
async def ears(make_bus: Callable[[], Bus]) -> "list[Ear]":
    return [Ear(make_bus()) for _ in range(3)]


async def follow(ear: Ear, by: Ear, topic: str) -> None:
    """Follows and proves it: subscriptions are applied by the bus in its own time."""
    ear.bus.follow(topic)
    async with asyncio.timeout(10):
        while (topic, b"probe") not in ear.heard:
            by.bus.publish(topic, b"probe")
            ear.news.clear()
            try:
                async with asyncio.timeout(0.2):
                    await ear.news.wait()
            except TimeoutError:
                continue
    ear.heard.clear()


async def test_followers_hear_in_order_and_others_do_not(ears: list[Ear]) -> None:
    ann, omar, mallory = ears
    for ear in ears:
        await ear.start()
        await ear.until_up()
    await follow(omar, ann, "conversation:1")
    omar.heard.clear()
    for n in range(200):
        ann.bus.publish("conversation:1", str(n).encode())
    await omar.until(200)
    assert [payload for _, payload in omar.heard if payload != b"probe"] == [str(n).encode() for n in range(200)]
    assert mallory.heard == []
    assert ann.heard == []
    for ear in ears:
        await ear.bus.stop()


async def test_who_stops_following_hears_no_more(ears: list[Ear]) -> None:
    ann, omar, other = ears
    for ear in ears:
        await ear.start()
        await ear.until_up()
    await follow(omar, ann, "a")
    await follow(omar, ann, "b")
    omar.bus.unfollow("a")
    await follow(other, ann, "a")
    ann.bus.publish("a", b"gone")
    ann.bus.publish("b", b"still")
    await omar.until(1)
    assert ("a", b"gone") not in omar.heard
    for ear in ears:
        await ear.bus.stop()


async def test_a_hint_is_small(ears: list[Ear]) -> None:
    await ears[0].start()
    with pytest.raises(ValueError, match="4 kB"):
        ears[0].bus.publish("a", b"x" * 4097)
    await ears[0].bus.stop()


async def test_publishing_never_waits_even_before_the_bus_is_up(ears: list[Ear]) -> None:
    ann = ears[0]
    await ann.start()
    for _ in range(20_000):
        ann.bus.publish("nobody", b"x")
    await ann.bus.stop()


async def test_a_hearer_that_fails_does_not_deafen_the_process(ears: list[Ear]) -> None:
    ann, omar = ears[0], ears[1]
    await ann.start()
    heard = asyncio.Event()

    def fails_once(topic: str, payload: bytes) -> None:
        if payload == b"probe" and not heard.is_set():
            heard.set()
            raise AttributeError("a mistake of ours")
        omar._hint(topic, payload)

    await omar.bus.start(fails_once, omar._gap)
    for ear in (ann, omar):
        await ear.until_up()
    await follow(omar, ann, "a")
    assert heard.is_set()
    for ear in (ann, omar):
        await ear.bus.stop()
