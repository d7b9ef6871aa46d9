"""One socket of the canary: speaks the wire as widget and console do, knows nothing of the server's inside."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Self

from websockets import ConnectionClosed, Origin
from websockets.asyncio.client import ClientConnection, connect

Frame = dict[str, Any]


class LineClosed(Exception):
    """The server closed the socket, or refused what was said."""


class CanaryLine:
    """`await line.until(kind, fits)` gives the first frame that fits. `retired`: a new one should be opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.retired = False
        self._reader = asyncio.create_task(self._read(), name="canary line")

    @classmethod
    async def open(cls, address: str, origin: str) -> Self:
        # No proxy of the environment: this is our own address.
        socket = await connect(address.replace("http", "ws", 1), origin=Origin(origin), proxy=None, compression=None)
        return cls(socket)

    async def send(self, kind: str, **fields: Any) -> None:
        try:
            await self._socket.send(json.dumps({"type": kind, **fields}))
        except ConnectionClosed:
            raise LineClosed from None

    async def until(self, kind: str, fits: Callable[[Frame], bool] = lambda _frame: True) -> Frame:
        while True:
            frame = await self._frames.get()
            if frame is None or frame["type"] == "refused":
                raise LineClosed
            if frame["type"] == kind and fits(frame):
                return frame

    async def shown(self, text: str) -> None:
        """Until these words stand in the view."""
        await self.until("said", lambda frame: any(entry.get("text") == text for entry in frame["entries"]))

    @property
    def is_open(self) -> bool:
        return not self._reader.done() and not self.retired

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(ConnectionClosed, OSError):
            await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                frame: Frame = json.loads(text)
                if frame["type"] == "beat":
                    await self._socket.send('{"type":"beat"}')
                elif frame["type"] == "retired":
                    self.retired = True
                elif frame["type"] in ("welcomed", "attended", "paged", "said", "refused"):
                    self._frames.put_nowait(frame)
        except ConnectionClosed:
            return
        finally:
            self._frames.put_nowait(None)
