"""One client's socket as the hub sees it: a bounded outbound.

`push` never waits. What a slow client has not taken is held here; when more than `OUTBOUND_BYTES` are held, the
connection closes with 4008 and the client resumes from its cursor: nothing is dropped in silence and nobody slow can
slow the others. An idle connection has neither a task nor a queue.
"""

import asyncio
from collections import defaultdict, deque

from chat.hub.transport import Transport
from chat.protocol.closing import Closing

OUTBOUND_BYTES = 256 * 1024
KIND = slice(9, 16)
"""Behind `{"type":"`: seven letters tell all types of frames apart."""
SEND_SECONDS = 5.0
"""A client that takes nothing for so long is gone."""


class Connection:
    __slots__ = (
        "_held",
        "_held_bytes",
        "_limit",
        "_said_goodbye",
        "_sent",
        "_stuck",
        "_transport",
        "_until",
        "closed",
        "closing",
    )

    def __init__(
        self, transport: Transport, *, outbound_bytes: int = OUTBOUND_BYTES, sent: defaultdict[str, int] | None = None
    ) -> None:
        """`sent` counts by the first letters of the type."""
        self._transport = transport
        self._sent = defaultdict(int) if sent is None else sent
        self._limit = outbound_bytes
        self._held: deque[bytes] | None = None
        """As they are sent: one letter of another script would make a text in memory up to four times as large."""
        self._held_bytes = 0
        self._stuck: asyncio.TimerHandle | None = None
        self._said_goodbye = False
        self._until: asyncio.Future[None] | None = None
        self.closing: Closing | None = None
        self.closed = False

    def push(self, text: str) -> None:
        if self.closing is not None:
            return
        self._sent[text[KIND]] += 1
        if self._held is None and not self._transport.is_full:
            self._transport.write(text)
            return
        data = text.encode()
        self._held_bytes += len(data)
        if self._held_bytes > self._limit:
            self.close(Closing.TOO_SLOW)
            return
        if self._held is None:
            self._held = deque()
            self._watch()
        self._held.append(data)

    @property
    def has_room(self) -> bool:
        """Whether most of the outbound is free. Who asks is heard again when it is, so that answers alone never make a
        client slow."""
        return self._held_bytes <= self._limit // 4 or self.closing is not None

    def drained(self) -> None:
        """The transport takes more: what was held goes out."""
        held = self._held
        while held and not self._transport.is_full:
            data = held.popleft()
            self._held_bytes -= len(data)
            self._transport.write(data.decode())
        if held:
            self._watch()
            return
        self._held = None
        self._held_bytes = 0
        if self.closing is not None:
            self._goodbye()
        elif self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def close(self, closing: Closing) -> None:
        """Asks for the end: what is held is sent first, but for a client that is too slow or may not read it."""
        if self.closing is not None:
            return
        self.closing = closing
        if closing in (Closing.TOO_SLOW, Closing.ACCESS_ENDED):
            self._held = None
            self._held_bytes = 0
        if self._held is None:
            self._goodbye()

    def _goodbye(self) -> None:
        if self._said_goodbye or self.closing is None or self.closed:
            return
        self._said_goodbye = True
        self._watch()
        if self.closing is Closing.GONE:
            self._transport.abort()
        else:
            self._transport.close(self.closing.code, self.closing.reason)

    def _watch(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        self._stuck = asyncio.get_running_loop().call_later(SEND_SECONDS, self._transport.abort)

    def ended(self) -> None:
        """The transport is gone; what was held is found again by the cursor."""
        self.closing = self.closing or Closing.GONE
        self._held = None
        self._held_bytes = 0
        self.closed = True
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        if self._until is not None and not self._until.done():
            self._until.set_result(None)

    async def until_closed(self) -> None:
        if not self.closed:
            if self._until is None:
                self._until = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._until)
