"""Who works is woken in whatever process, and many rings of a moment cost one hint."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from chat.hub.bell import AT_ONCE, WORK, Bell
from chat.hub.hub import Hub
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.ids import new_id
from tests.support.buses import until
from tests.support.tickets import NoEntries


class Process:
    """One that works, or only serves."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.bus = MemoryBus(broker)
        self.hub = Hub(self.bus, NoEntries())
        self.bell = Bell(self.hub)
        self.heard: list[Sequence[UUID]] = []
        self.woken = asyncio.Event()
        self.bell.on("said", self._hear)

    def _hear(self, ids: Sequence[UUID]) -> None:
        self.heard.append(ids)
        self.woken.set()

    @property
    def hints(self) -> int:
        return self.bus.published

    def followers(self) -> int:
        return len(self.bus._gossip.directory.of(self.bus._gossip.followed.hash_of(WORK)))


@pytest.fixture
async def desk() -> AsyncIterator[list[Process]]:
    """The first one serves, two work, one more only serves."""
    broker = MemoryBroker()
    async with AsyncExitStack() as stack:
        found = [Process(broker) for _ in range(4)]
        for one in found:
            await one.hub.start()
            stack.push_async_callback(one.hub.stop)
        for one in found[1:3]:
            stack.enter_context(one.bell.followed())
        await until(lambda: found[0].followers() == 2)
        yield found


async def test_one_ring_wakes_here_at_once_and_who_works_elsewhere(desk: list[Process]) -> None:
    serves, first, second, other = desk
    about = new_id()
    serves.bell.ring("said", about)
    assert serves.heard == [(about,)]
    async with asyncio.timeout(10):
        await first.woken.wait()
        await second.woken.wait()
    assert (first.heard, second.heard, other.heard) == ([(about,)], [(about,)], [])


async def test_all_rings_of_a_moment_are_one_hint_and_one_look(desk: list[Process]) -> None:
    serves, first, _, _ = desk
    ids = {new_id() for _ in range(AT_ONCE)}
    for one in [*ids, *ids]:
        serves.bell.ring("said", one)
    async with asyncio.timeout(10):
        await first.woken.wait()
    assert serves.hints == 2  # one for each that works
    assert [set(heard) for heard in first.heard] == [ids]


async def test_more_than_a_hint_holds_goes_in_several(desk: list[Process]) -> None:
    serves, first, _, _ = desk
    ids = {new_id() for _ in range(2 * AT_ONCE + 1)}
    for one in ids:
        serves.bell.ring("said", one)
    async with asyncio.timeout(10):
        while {one for heard in first.heard for one in heard} != ids:
            first.woken.clear()
            await first.woken.wait()


async def test_who_has_ceased_to_work_hears_nothing_more(desk: list[Process]) -> None:
    serves, first, second, other = desk
    with other.bell.followed():
        await until(lambda: serves.followers() == 3)
    await until(lambda: serves.followers() == 2)
    serves.bell.ring("said")
    async with asyncio.timeout(10):
        await first.woken.wait()
        await second.woken.wait()
    assert other.heard == []


async def test_nonsense_from_a_neighbour_rings_nothing(desk: list[Process]) -> None:
    serves, first, _, _ = desk
    for news in ({}, {"what": "said"}, {"what": "said", "ids": ["x"]}, {"what": "said", "ids": 7}):
        serves.hub.publish_elsewhere(WORK, {"kind": WORK, **news})
    serves.bell.ring("said")
    async with asyncio.timeout(10):
        await first.woken.wait()
    assert first.heard == [()]
