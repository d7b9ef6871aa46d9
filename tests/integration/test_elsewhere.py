"""A process that alone cannot reach the database sends its clients to one that can; when nobody can, all stay."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import websockets

from chat.app import Nightdesk
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from tests.support.buses import until
from tests.support.databases import PostgresMaker
from tests.support.faults import FaultProxy
from tests.support.program import Client, Running, program
from tests.support.servers import PostgresServer

SENT_WITHIN = 30.0


class Pair:
    """Two processes of one desk, each with a road of its own to the database."""

    def __init__(self, first: Running, second: Running, roads: list[FaultProxy]) -> None:
        self.first = first
        self.second = second
        self.roads = roads


@pytest.fixture
async def pair(tmp_path: Path, postgres_server: PostgresServer, postgres_maker: PostgresMaker) -> AsyncIterator[Pair]:
    url, broker = postgres_maker.make(), MemoryBroker()
    roads: list[FaultProxy] = []
    async with AsyncExitStack() as stack:
        running = []
        for name in ("first", "second"):
            road = FaultProxy("127.0.0.1", postgres_server.port)
            await road.start()
            stack.push_async_callback(road.stop)
            roads.append(road)
            mine = url.replace(f":{postgres_server.port}/", f":{road.port}/")
            running.append(await stack.enter_async_context(program(tmp_path / name, mine, MemoryBus(broker))))
        first, second = running
        await until(lambda: first.desk.bus.others_can_store and second.desk.bus.others_can_store, 10)
        yield Pair(first, second, roads)


async def test_clients_are_sent_elsewhere_where_words_can_be_stored(pair: Pair) -> None:
    ann = await pair.first.visitor_who_said()
    pair.roads[0].cut()
    await ann.until("retired", seconds=SENT_WITHIN)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await pair.first.visitor()
    assert refused.value.response.status_code == 503
    pair.second.site_key = pair.first.site_key
    again = await pair.second.visitor(token=ann.token)
    again.conversation = ann.conversation
    assert (await again.say("and here it goes on"))["text"] == "and here it goes on"


async def test_when_nobody_can_store_anything_nobody_is_sent_anywhere(pair: Pair) -> None:
    ann: Client = await pair.first.visitor_who_said()
    for road in reversed(pair.roads):
        road.cut()
    desk = pair.first.desk
    await until(lambda: desk.db.unwritten_seconds > 8, SENT_WITHIN)
    assert not desk.bus.others_can_store
    assert [frame for frame in ann.frames if frame["type"] == "retired"] == []


async def test_nobody_is_sent_to_a_worker_or_to_a_process_that_leaves(
    tmp_path: Path, postgres_maker: PostgresMaker
) -> None:
    broker = MemoryBroker()
    async with program(tmp_path, postgres_maker.make(), MemoryBus(broker)) as first:
        worker = Nightdesk(first.settings, bus=MemoryBus(broker), works=True)
        await worker.start_worker()
        try:
            await first.visitor_who_said()
            assert first.desk.bus.can_store()
            assert not worker.bus.can_store()
        finally:
            await worker.stop()
        await first.desk.retire()
        assert not first.desk.bus.can_store()
