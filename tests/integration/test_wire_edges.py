"""What browsers, proxies and strangers send before and between the frames: the same over both transports."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.buses import until
from tests.support.program import Running, program

HELLO = b'{"type":"hello","site":"any"}'
TEXT, PING = 0x81, 0x89


@pytest.fixture(params=["picows", "websockets"])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path, websockets=request.param) as running:
        yield running


class Line:
    """A client that speaks in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, running: Running, method: str = "GET", **more: str) -> int:
        """Asks for a visitor's socket; the status of the answer."""
        headers = {
            "Host": urlsplit(running.base_url).netloc,
            "Origin": running.base_url,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        } | {name.replace("_", "-"): value for name, value in more.items()}
        head = f"{method} /w/{running.site_key}/socket HTTP/1.1\r\n"
        self.writer.write((head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode())
        async with asyncio.timeout(10):
            answer = await self.reader.readuntil(b"\r\n\r\n")
        return int(answer.split(b" ")[1])

    def send(self, first: int, payload: bytes = b"") -> None:
        self.writer.write(frame(first, payload))

    async def heard(self) -> bytes:
        """The payload of the next frame of a server."""
        async with asyncio.timeout(10):
            _first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            return await self.reader.readexactly(size)


def frame(first: int, payload: bytes) -> bytes:
    """As a client sends it: masked, with a mask that changes nothing."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


@asynccontextmanager
async def line(running: Running) -> AsyncIterator[Line]:
    address = urlsplit(running.base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def held(running: Running) -> int:
    """Sockets that count against the limit of this address."""
    return sum(running.desk.visitor_sockets._door._admission._held.values())


@pytest.mark.parametrize(
    "headers",
    [
        {"Connection": "keep-alive, Upgrade"},  # Firefox
        {"Connection": "Upgrade, Keep-Alive"},
        {"Upgrade": "WebSocket"},
        {"Host": "desk.example\xa0"},
    ],
)
async def test_every_handshake_that_is_one_opens_a_socket(running: Running, headers: dict[str, str]) -> None:
    async with line(running) as ann:
        assert await ann.ask(running, **headers) == 101
        ann.send(TEXT, HELLO)
        assert b'"welcomed"' in await ann.heard()
    await until(lambda: held(running) == 0)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("GET", {"Sec-WebSocket-Key": "short"}),
        ("GET", {"Sec-WebSocket-Version": "8"}),
    ],
)
async def test_what_is_no_handshake_is_refused_and_holds_no_place(
    running: Running, method: str, headers: dict[str, str]
) -> None:
    async with line(running) as mallory:
        assert await mallory.ask(running, method, **headers) >= 400
    await until(lambda: held(running) == 0)
