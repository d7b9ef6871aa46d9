"""The server's HTTP protocol with a limit on request heads: who connects and says nothing, or never comes to the end of
a head, is cut off. uvicorn itself waits for ever."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """The time runs from the connection on, and on a kept-alive one from the first byte after an answer. The bytes are
    counted always: behind a request that is not answered yet another head may begin, behind a body trailers."""

    _guard: asyncio.TimerHandle | None = None
    _head_bytes = 0
    """Since a head or a piece of a body was complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if self._guard is None and (cycle is None or cycle.response_complete):
            self._arm()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._disarm()
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._guard is None:
            self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._guard = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _disarm(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
