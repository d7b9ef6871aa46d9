"""A client that speaks in bytes, for what no library would send."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.program import Running

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A
"""First bytes of a frame that is whole."""
BEGINS = 0x01
"""First byte of a text that others continue; theirs is 0 until the last."""


class Line:
    """A client that speaks in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = b""

    async def ask(self, running: Running, method: str = "GET", path: str = "", **more: str) -> int:
        """Asks for a visitor's socket; the status of the answer."""
        headers = {
            "Host": urlsplit(running.base_url).netloc,
            "Origin": running.base_url,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        } | {name.replace("_", "-"): value for name, value in more.items()}
        head = f"{method} {path or f'/w/{running.site_key}/socket'} HTTP/1.1\r\n"
        self.writer.write((head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode())
        async with asyncio.timeout(10):
            self.answer = await self.reader.readuntil(b"\r\n\r\n")
        return int(self.answer.split(b" ")[1])

    def send(self, first: int, payload: bytes = b"") -> None:
        self.writer.write(frame(first, payload))

    async def heard(self) -> bytes:
        """The payload of the next frame of a server."""
        return (await self.frame())[1]

    async def frame(self) -> tuple[int, bytes]:
        """First byte and payload of the next frame of a server. Who is there is told to all by the clock, and left
        out."""
        async with asyncio.timeout(10):
            while True:
                first, size = await self.reader.readexactly(2)
                if size == 126:
                    (size,) = struct.unpack(">H", await self.reader.readexactly(2))
                payload = await self.reader.readexactly(size)
                if not payload.startswith(b'{"type":"staffed"'):
                    return first, payload

    async def close_code(self) -> int:
        """Of the goodbye, whatever is said before it."""
        while True:
            first, payload = await self.frame()
            if first == CLOSE:
                return int(struct.unpack(">H", payload[:2])[0])

    async def is_over(self) -> bool:
        """The server has closed the connection."""
        async with asyncio.timeout(10):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass
        return True


def frame(first: int, payload: bytes) -> bytes:
    """As a client sends it: masked, with a mask that changes nothing."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65_536:
        head = bytes((first, 0xFE)) + struct.pack(">H", size)
    else:
        head = bytes((first, 0xFF)) + struct.pack(">Q", size)
    return head + b"\0\0\0\0" + payload


@asynccontextmanager
async def line(running: Running, receive_bytes: int = 0) -> AsyncIterator[Line]:
    address = urlsplit(running.base_url)
    made = socket.socket()
    made.setblocking(False)
    if receive_bytes:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    await asyncio.get_running_loop().sock_connect(made, (address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=made)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def held(running: Running) -> int:
    """Sockets that count against the limit of this address."""
    return sum(running.desk.visitor_sockets._door._admission._held.values())
