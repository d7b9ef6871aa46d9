"""The proxy that makes bad links makes them as it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.support.faults import Conduct, FaultProxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1])
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    return await reader.readexactly(len(data))


async def test_a_plain_link_passes_all_both_ways_and_ends_with_its_end() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        data = bytes(range(256)) * 4000
        assert await exchange(reader, writer, data) == data
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_latency_delays_and_slices_keep_the_order() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.behave(Conduct(latency=0.05, jitter=0.04, slice_bytes=7))
        started = monotonic()
        data = bytes(range(256))
        assert await exchange(reader, writer, data) == data
        assert monotonic() - started >= 0.02
        writer.close()


async def test_a_slow_link_takes_its_time() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.behave(Conduct(rate=100_000))
        started = monotonic()
        assert await exchange(reader, writer, bytes(10_000)) == bytes(10_000)
        assert monotonic() - started >= 0.1
        writer.close()


async def test_a_stalled_link_gives_all_of_it_later() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"there")
        proxy.behave(Conduct(stalled=True))
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(5)
        proxy.behave(Conduct())
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_orphaned_links_stay_open_and_forward_nothing_and_new_ones_work() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"there")
        assert proxy.orphan() == 1
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await exchange(other_reader, other_writer, b"new") == b"new"
        writer.close()
        other_writer.close()


async def test_a_one_way_link_hears_and_is_not_heard() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"there")
        proxy.behave(Conduct(mute="up"))
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        writer.close()


@pytest.mark.parametrize("strike", ["reset", "breaks"])
async def test_links_break_by_reset(strike: str) -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"there")
        if strike == "reset":
            assert proxy.reset() == 1
        else:
            proxy.behave(Conduct(breaks=1.0))
            writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


async def test_a_lost_piece_comes_later_and_in_order() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.behave(Conduct(loss=0.5, slice_bytes=64))
        data = bytes(range(256))
        assert await exchange(reader, writer, data) == data
        writer.close()


async def test_links_end_by_fin_inside_a_frame_and_new_ones_are_refused() -> None:
    async with proxied() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"there")
        proxy.refuse()
        assert proxy.finish() == 1
        writer.write(b"hello")
        assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.close()
