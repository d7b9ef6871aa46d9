"""`/metrics` on an address of its own: a few lines of HTTP/1.1 that answer one request and close.

Not the program's own server: that address may be public, this one is for the neighbours who scrape, and a process that
serves no pages (the worker) has figures too.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import structlog

from chat.listening import CannotListen, next_free_socket

HEAD_BYTES = 8192
HEAD_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Listener:
    def __init__(self, host: str, port: int, text: Callable[[], Awaitable[bytes]], content_type: str) -> None:
        self.inherited: socket.socket | None = None
        """It listens already: who comes after us in our place has the same."""
        self._host = host
        self._port = port
        self._text = text
        self._content_type = content_type
        self._server: asyncio.Server | None = None
        self._asking: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens now."""
        if self._server is None:
            return None
        host, port, *_ = self._server.sockets[0].getsockname()
        return str(host), int(port)

    async def start(self) -> None:
        """Without a free port the program goes on: figures are worth less than conversations."""
        try:
            listening = self.inherited or next_free_socket(self._host, self._port)
            self._server = await asyncio.start_server(self._answer, sock=listening, limit=HEAD_BYTES)
        except (CannotListen, OSError) as error:
            log.warning("metrics could not listen", host=self._host, port=self._port, error=str(error))
            return
        log.info("metrics answered", host=self._host, port=listening.getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._asking):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking.add(writer)
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, path, *_ = *head.split(b" ", 2), b"", b""
            if (method, path.partition(b"?")[0]) == (b"GET", b"/metrics"):
                status, kind, body = "200 OK", self._content_type, await self._text()
            else:
                status, kind, body = "404 Not Found", "text/plain", b"Figures are at /metrics.\n"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(body)
            async with asyncio.timeout(HEAD_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # who asks so is owed no answer
        finally:
            self._asking.discard(writer)
            writer.close()
