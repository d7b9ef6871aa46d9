"""One slow client costs itself: a bounded outbound, a close code that means "come back"."""

import asyncio

import pytest

from chat.hub import connection as connections
from chat.hub.connection import Connection
from chat.protocol.closing import Closing
from tests.support.sockets import MemoryTransport


def slow() -> tuple[MemoryTransport, Connection]:
    transport = MemoryTransport()
    transport.is_full = True
    return transport, Connection(transport, outbound_bytes=10_000)


async def test_texts_arrive_in_the_order_they_were_pushed_over_slow_moments_too() -> None:
    transport = MemoryTransport()
    connection = Connection(transport)
    for n in range(100):
        transport.is_full = n % 7 == 3
        connection.push(str(n))
        if n % 11 == 0:
            transport.is_full = False
            connection.drained()
    transport.is_full = False
    connection.drained()
    assert transport.sent == [str(n) for n in range(100)]
    connection.close(Closing.RETIRING)
    assert transport.closed == (4000, "this server leaves, come back")


async def test_what_is_held_is_sent_before_a_close() -> None:
    transport, connection = slow()
    connection.push("last words")
    connection.close(Closing.RETIRING)
    assert not transport.said_goodbye
    transport.is_full = False
    connection.drained()
    assert transport.sent == ["last words"]
    assert transport.closed is not None
    assert transport.closed[0] == 4000


async def test_whose_access_has_ended_reads_no_more_of_what_is_held() -> None:
    transport, connection = slow()
    connection.push("not for these eyes any more")
    connection.close(Closing.ACCESS_ENDED)
    transport.is_full = False
    connection.drained()
    assert transport.sent == []
    assert transport.closed is not None
    assert transport.closed[0] == 4503


async def test_who_asks_for_much_waits_for_room_and_is_not_too_slow() -> None:
    transport, connection = slow()
    room = [connection.has_room]
    connection.push("x" * 3000)
    room.append(connection.has_room)
    transport.is_full = False
    connection.drained()
    room.append(connection.has_room)
    assert room == [True, False, True]
    assert connection.closing is None


async def test_a_client_that_does_not_read_is_closed_at_the_limit_and_holds_no_more_than_it() -> None:
    transport, connection = slow()
    for _ in range(1000):
        connection.push("x" * 100)
    assert connection.closing is Closing.TOO_SLOW
    assert connection.closing.comes_back
    assert transport.closed is not None
    assert transport.closed[0] == 4008
    assert transport.sent == []


async def test_texts_of_all_scripts_are_counted_as_they_are_sent() -> None:
    transport, connection = slow()
    text = "č" * 1999 + "🌒"
    connection.push(text)
    connection.push(text)
    transport.is_full = False
    connection.drained()
    assert transport.sent == [text, text]
    transport.is_full = True
    for _ in range(3):
        connection.push(text)
    assert connection.closing is Closing.TOO_SLOW


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    transport, connection = slow()
    monkeypatch.setattr(connections, "SEND_SECONDS", 0.01)
    connection.push("nobody takes it")
    async with asyncio.timeout(10):
        await transport.news.wait()
    assert transport.aborted


async def test_after_the_end_nothing_is_kept_and_who_waits_for_it_is_told() -> None:
    transport, connection = slow()
    connection.push("held")
    waiting = asyncio.create_task(connection.until_closed())
    await asyncio.sleep(0)
    connection.ended()
    await waiting
    connection.push("too late")
    transport.is_full = False
    connection.drained()
    assert transport.sent == []
    assert connection.closing is Closing.GONE
