"""One slow client costs itself: a bounded outbound, a close code that means "come back"."""

import asyncio

from chat.hub.connection import Connection
from chat.protocol.closing import Closing
from tests.support.sockets import MemoryTransport


async def test_texts_arrive_in_the_order_they_were_pushed() -> None:
    transport = MemoryTransport()
    connection = Connection(transport)
    writer = asyncio.create_task(connection.write())
    for n in range(100):
        connection.push(str(n))
    assert await transport.until(100) == [str(n) for n in range(100)]
    connection.close(Closing.RETIRING)
    await writer
    assert transport.closed == (4000, "this server leaves, come back")


async def test_what_waits_is_sent_before_a_close() -> None:
    transport = MemoryTransport()
    connection = Connection(transport)
    connection.push("last words")
    connection.close(Closing.RETIRING)
    await connection.write()
    assert transport.sent == ["last words"]
    assert transport.closed is not None
    assert transport.closed[0] == 4000


async def test_whose_access_has_ended_reads_no_more_of_what_waits() -> None:
    transport = MemoryTransport()
    connection = Connection(transport)
    connection.push("not for these eyes any more")
    connection.close(Closing.ACCESS_ENDED)
    await connection.write()
    assert transport.sent == []
    assert transport.closed is not None
    assert transport.closed[0] == 4503


async def test_who_asks_for_much_waits_for_room_and_is_not_too_slow() -> None:
    transport = MemoryTransport()
    transport.reads.clear()
    connection = Connection(transport, outbound_bytes=10_000)
    writer = asyncio.create_task(connection.write())

    async def ask() -> None:
        for _ in range(20):
            await connection.room()
            connection.push("x" * 3000)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    assert not asking.done()
    transport.reads.set()
    await asking
    await transport.until(20)
    assert connection.closing is None
    writer.cancel()


async def test_a_client_that_does_not_read_is_closed_at_the_limit_and_holds_no_more_than_it() -> None:
    transport = MemoryTransport()
    transport.reads.clear()
    connection = Connection(transport, outbound_bytes=10_000)
    writer = asyncio.create_task(connection.write())
    for _ in range(1000):
        connection.push("x" * 100)
    assert connection.closing is Closing.TOO_SLOW
    assert connection.closing.comes_back
    transport.reads.set()
    await writer
    assert transport.closed is not None
    assert transport.closed[0] == 4008
    assert len(transport.sent) <= 1


async def test_after_the_end_nothing_is_kept() -> None:
    transport = MemoryTransport()
    connection = Connection(transport)
    connection.close(Closing.GONE)
    await connection.write()
    connection.push("too late")
    assert connection.closed.is_set()
    assert transport.sent == []
