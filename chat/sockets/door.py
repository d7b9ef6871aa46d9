"""Who may come in: admits a WebSocket, or answers 429 with the time to wait. Visitors and operators have a door each,
so that a crowd of visitors cannot shut operators out."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from chat.clock import Clock
from chat.hub.admission import Admission


class Door:
    def __init__(self, admission: Admission, clock: Clock) -> None:
        self._admission = admission
        self._clock = clock

    @asynccontextmanager
    async def admitted(self, websocket: WebSocket) -> AsyncIterator[bool]:
        """True: the socket may be accepted and is counted until the block ends. False: it was refused."""
        address = address_of(websocket)
        if wait := self._admission.enter(address, self._clock.monotonic()):
            headers = {"Retry-After": str(math.ceil(wait))}
            await websocket.send_denial_response(PlainTextResponse("Too many connections", 429, headers))
            yield False
            return
        try:
            yield True
        finally:
            self._admission.leave(address)


def address_of(websocket: WebSocket) -> str:
    """The peer, or behind a trusted proxy the address that it names (the server sees to that)."""
    return websocket.client.host if websocket.client else ""
