"""Who never comes to the end of a request's head is cut off, and nobody else."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chat import head_guard, whole_forms
from tests.support.buses import until
from tests.support.polls import VisitorPoller
from tests.support.program import Running, program

SHORT = 1.0
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: desk\r\n\r\n"
SILENT = 2000

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(head_guard, "HEAD_SECONDS", SHORT)
    async with program(tmp_path) as running:
        yield running


@asynccontextmanager
async def line(running: Running) -> AsyncIterator[Line]:
    address = urlsplit(running.base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(30):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def answered(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.readuntil(b"\r\n\r\nok")


@pytest.mark.parametrize("said", [b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: desk\r\n", b"\r\n"])
async def test_half_a_head_is_not_waited_for(running: Running, said: bytes) -> None:
    async with line(running) as (reader, writer):
        writer.write(said)
        assert await is_cut_off(reader)


async def test_a_head_that_comes_in_drops_is_not_waited_for(running: Running) -> None:
    async with line(running) as (reader, writer):

        async def drip() -> None:
            writer.write(b"GET /healthz HTTP/1.1\r\n")
            while not writer.is_closing():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(SHORT / 5)

        dripping = asyncio.create_task(drip())
        assert await is_cut_off(reader)
        dripping.cancel()


async def test_a_head_without_end_is_cut_off_at_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_guard, "HEAD_SECONDS", 1000.0)
    async with line(running) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
        assert await is_cut_off(reader)


async def test_a_head_without_end_behind_a_request_that_is_not_answered_yet_is_cut_off_at_once(
    running: Running,
) -> None:
    hello = b'{"type":"hello","site":"any"}'
    poll = f"POST /w/{running.site_key}/poll?wait=20 HTTP/1.1\r\nHost: desk\r\nContent-Length: {len(hello)}\r\n\r\n"
    async with line(running) as (reader, writer):
        writer.write(poll.encode() + hello)
        await until(lambda: bool(running.desk.visitor_sockets.all))
        writer.write(b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 8_000_000)
        assert await is_cut_off(reader)


async def test_trailers_without_end_are_cut_off_at_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_guard, "HEAD_SECONDS", 1000.0)
    async with line(running) as (reader, writer):
        writer.write(
            f"POST /w/{running.site_key}/poll HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + b"2\r\n{}\r\n0\r\nX: "
            + b"y" * 8_000_000
        )
        assert await is_cut_off(reader)


async def test_a_body_that_falls_silent_is_not_waited_for(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert whole_forms.SILENT_SECONDS <= 30
    monkeypatch.setattr(whole_forms, "SILENT_SECONDS", 0.1)
    head = (
        b"POST /client/tickets/new HTTP/1.1\r\nHost: desk\r\nSec-Fetch-Site: same-origin\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 200000\r\n\r\n--x\r\n"
    )
    for begun in (b"", b'Content-Disposition: form-data; name="text"\r\n\r\n' + b"x" * whole_forms.WHOLE):
        async with line(running) as (reader, writer):
            writer.write(head + begun)
            async with asyncio.timeout(30):
                assert b" 408 " in (await reader.read())[:20]  # and nothing more: the line is closed


async def test_the_time_runs_anew_for_each_request_of_a_line(running: Running) -> None:
    async with line(running) as (reader, writer):
        writer.write(HEALTHZ)
        await answered(reader)
        await asyncio.sleep(SHORT * 1.5)  # time itself is the subject: a line at rest is not cut off
        writer.write(HEALTHZ)
        await answered(reader)
        writer.write(HEALTHZ[:10])
        assert await is_cut_off(reader)


async def test_a_line_at_rest_that_sends_what_is_no_request_does_not_stay(running: Running) -> None:
    async with line(running) as (reader, writer):
        writer.write(HEALTHZ)
        await answered(reader)
        writer.write(b"\r\n")
        assert await is_cut_off(reader)


async def test_a_socket_and_a_poll_outlive_the_limit(running: Running) -> None:
    ann = await running.visitor_who_said()
    poller = VisitorPoller([running.base_url], running.site_key)
    await poller.poll(wait=SHORT * 1.5)
    assert poller.kinds[-1] == "polled"
    await ann.say("Still there")
    await poller.close()


async def test_thousands_of_silent_lines_go_away(running: Running) -> None:
    assert head_guard.HEAD_SECONDS <= 10
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * SILENT), hard))
    try:
        address = urlsplit(running.base_url)
        lines = []
        for _ in range(SILENT // 100):
            lines += await asyncio.gather(
                *(asyncio.open_connection(address.hostname, address.port) for _ in range(100))
            )
        assert all(await asyncio.gather(*(is_cut_off(reader) for reader, _ in lines)))
        for _, writer in lines:
            writer.close()
        await running.visitor_who_said("Good evening")
    finally:
        await until(lambda: all(writer.transport.is_closing() for _, writer in lines))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
