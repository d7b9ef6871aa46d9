"""What carries texts between one client and this process. Two implementations with one contract: `AsgiTransport` here,
and `PicowsTransport`; the long poll has a third one for its short-lived connections."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

HIGH_WATER = 32 * 1024
LOW_WATER = 8 * 1024
"""Bytes that wait in a transport at which the client counts as slow, and as fast again."""
READ_AHEAD = 8
"""Texts that may wait to be acted upon before the client's next ones stay where they come from."""


class Receiver(Protocol):
    """Whom a transport tells what happens. All four are called in the loop and never wait."""

    def received(self, text: str) -> None: ...

    def malformed(self) -> None:
        """A binary message: the protocol is text."""
        ...

    def drained(self) -> None:
        """Not full any more."""
        ...

    def ended(self) -> None:
        """Nothing comes and nothing goes any more. Called once."""
        ...


class Transport(Protocol):
    is_full: bool
    """What is written now waits for a client that reads slowly. `drained` tells the end of it."""

    keeps_order: bool
    """An answer says that all that came before was acted upon, also one to who only asks whether anybody is there."""

    @property
    def farewell(self) -> str:
        """What an end without a close code of ours was, for the figures; empty where it is not known."""
        ...

    @property
    def lingers(self) -> float:
        """Seconds after its end in which the client is expected back, as between two polls."""
        ...

    def start(self, receiver: Receiver) -> None: ...

    def write(self, text: str) -> None:
        """At once or after what was written before; never waits and never fails."""
        ...

    def pause(self) -> None:
        """No more texts for now, where that is possible: the client's words wait where they come from."""
        ...

    def resume(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Says goodbye after what was written."""
        ...

    def abort(self) -> None:
        """Ends at once, without a word."""
        ...


class AsgiTransport:
    """Starlette's WebSocket, after it was accepted. `run` reads until the end."""

    keeps_order = False
    farewell = ""
    lingers = 0.0

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._receiver: Receiver | None = None
        self._outbound: list[str] = []
        self._waiting = 0
        """Letters that the server has not taken."""
        self._goodbye: tuple[int, str] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._reads = asyncio.Event()
        self._reads.set()
        self._aborted = asyncio.Event()
        self.is_full = False

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def run(self) -> None:
        """Hands texts on until the client left or the transport was aborted."""
        receiver = self._receiver
        if receiver is None:
            raise RuntimeError("a transport runs after its start")
        reader = asyncio.create_task(self._read(receiver))
        aborted = asyncio.create_task(self._aborted.wait())
        try:
            await asyncio.wait({reader, aborted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, aborted, self._writer):
                if task is not None:
                    task.cancel()
            receiver.ended()

    async def _read(self, receiver: Receiver) -> None:
        while True:
            await self._reads.wait()
            try:
                message = await self._websocket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if isinstance(text, str):
                receiver.received(text)
            else:
                receiver.malformed()

    def write(self, text: str) -> None:
        self._outbound.append(text)
        self._waiting += len(text)
        self.is_full = self._waiting > HIGH_WATER
        self._write_on()

    def close(self, code: int, reason: str) -> None:
        self._goodbye = (code, reason)
        self._reads.set()  # the answer to the goodbye must be read
        self._write_on()

    def _write_on(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        # Sending after the close raises RuntimeError, not WebSocketDisconnect: both mean that the other side is gone.
        try:
            while self._outbound:
                texts, self._outbound = self._outbound, []
                for text in texts:
                    # The server says nothing of its buffer but by making us wait.
                    await self._websocket.send_text(text)
                    self._waiting -= len(text)
                    if self.is_full and self._waiting <= LOW_WATER:
                        self.is_full = False
                        if self._receiver is not None:
                            self._receiver.drained()
            if self._goodbye is not None:
                await self._websocket.close(*self._goodbye)
            else:
                self._writer = None
        except (WebSocketDisconnect, RuntimeError, OSError):
            self._aborted.set()

    def pause(self) -> None:
        self._reads.clear()

    def resume(self) -> None:
        self._reads.set()

    def abort(self) -> None:
        self._aborted.set()


Accept = Callable[[Transport], Receiver]
"""Makes who listens to a transport that has just been opened."""
