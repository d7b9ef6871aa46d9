"""One client's socket as the hub sees it: a bounded outbound and one writer.

`push` never waits. When more than `OUTBOUND_BYTES` wait, the connection closes with 4008 and the client resumes from
its cursor: nothing is dropped in silence and nobody slow can slow the others.
"""

import asyncio
from collections import deque
from typing import Protocol

from chat.protocol.closing import Closing

OUTBOUND_BYTES = 256 * 1024
SEND_SECONDS = 5.0


class Gone(Exception):
    """The other side is not there any more."""


class Transport(Protocol):
    """Moves text. `receive` and `send` raise `Gone` when the other side left."""

    async def receive(self) -> str: ...

    async def send(self, text: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


class Connection:
    def __init__(self, transport: Transport, *, outbound_bytes: int = OUTBOUND_BYTES) -> None:
        self._transport = transport
        self._outbound: deque[str] = deque()
        self._limit = outbound_bytes
        self._waiting = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.closing: Closing | None = None
        self.closed = asyncio.Event()

    def push(self, text: str) -> None:
        if self.closing is not None:
            return
        self._waiting += len(text)
        if self._waiting > self._limit:
            self.close(Closing.TOO_SLOW)
            return
        self._outbound.append(text)
        self._wake.set()
        if self._waiting > self._limit // 4:
            self._room.clear()

    async def room(self) -> None:
        """Until most of the outbound is free. Who asks waits for it, so that answers alone never make a client slow."""
        await self._room.wait()

    def close(self, closing: Closing) -> None:
        """Asks the writer to finish: what waits is sent first, but for a client that is too slow or may not read it."""
        if self.closing is None:
            self.closing = closing
            if closing in (Closing.TOO_SLOW, Closing.ACCESS_ENDED):
                self._outbound.clear()
            self._room.set()
            self._wake.set()

    async def write(self) -> None:
        """The writer task; ends when the connection has ended, for whatever reason."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outbound:
                    text = self._outbound.popleft()
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._transport.send(text)
                    self._waiting -= len(text)
                    if self._waiting <= self._limit // 4:
                        self._room.set()
                if self.closing is not None:
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._transport.close(self.closing.code, self.closing.reason)
                    return
        except (Gone, TimeoutError):
            return
        finally:
            self.closing = self.closing or Closing.GONE
            self._outbound.clear()
            self._room.set()
            self.closed.set()
