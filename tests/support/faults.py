"""A TCP proxy that makes bad links: slow, sliced, lossy, one-way, stalled, cut, refused, or half-open for ever.

`Conduct` says how all its links behave from now on; `reset`, `finish` and `orphan` strike the links that are open.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from random import Random
from threading import Thread
from typing import Any

RETRANSMISSION = 0.3
QUEUE_BYTES = 64 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: closing sends RST and not FIN."""


@dataclass(frozen=True)
class Conduct:
    """How links behave. Times in seconds, `rate` in bytes a second; `loss` is the chance that a piece is sent again
    later, as TCP does, with all behind it; `breaks` the chance that it takes the link with it."""

    latency: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0
    slice_bytes: int = 0
    loss: float = 0.0
    breaks: float = 0.0
    stalled: bool = False
    """Nothing is forwarded until this ends; then all of it, in order."""
    mute: str = ""
    """`up` or `down`: what goes that way vanishes, though TCP acknowledges it."""

    @property
    def is_plain(self) -> bool:
        return self == Conduct()


class Side(asyncio.Protocol):
    """One end of a link; what it receives goes to `other`."""

    def __init__(self, link: "Link", way: str) -> None:
        self.link = link
        self.way = way
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.queue: deque[tuple[float, bytes]] = deque()
        self.queued = 0
        self.free_at = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link.made(self)

    def data_received(self, data: bytes) -> None:
        self.link.forward(self, data)

    def eof_received(self) -> bool:
        self.finished = True
        self.link.pump(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.lost(self, by_reset=exc is not None)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class Link:
    def __init__(self, proxy: "FaultProxy") -> None:
        self.proxy = proxy
        self.client = Side(self, "up")
        self.server = Side(self, "down")
        self.orphaned = False
        self.ends_in_frame = False

    def made(self, side: Side) -> None:
        if side is self.client:
            assert side.transport is not None
            side.transport.pause_reading()  # until there is somebody to forward to
            self.proxy.later(self._reach())
            return
        self.client.other, self.server.other = self.server, self.client
        if self.client.transport is not None:
            self.client.transport.resume_reading()

    async def _reach(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self.proxy.target)
        except OSError:
            self.reset()

    def forward(self, side: Side, data: bytes) -> None:
        conduct = self.proxy.conduct
        if self.orphaned or conduct.mute == side.way:
            return
        if conduct.breaks and self.proxy.chance.random() < conduct.breaks:
            self.reset()
            return
        if self.ends_in_frame:
            self._write(side, data[: len(data) // 2])
            self.finish()
            return
        if conduct.is_plain and not side.queue:
            self._write(side, data)
            return
        now = asyncio.get_running_loop().time()
        size = conduct.slice_bytes or len(data)
        for place in range(0, len(data), size):
            piece = data[place : place + size]
            wait = conduct.latency + conduct.jitter * (2 * self.proxy.chance.random() - 1)
            if conduct.loss and self.proxy.chance.random() < conduct.loss:
                wait += RETRANSMISSION
            sending = len(piece) / conduct.rate if conduct.rate else 0.0
            side.free_at = max(side.free_at, now + max(0.0, wait)) + sending
            side.queue.append((side.free_at, piece))
            side.queued += len(piece)
        if side.queued > QUEUE_BYTES and side.transport is not None:
            side.transport.pause_reading()
        self.pump(side)

    def pump(self, side: Side) -> None:
        """Forwards what is due; the rest has a timer."""
        if side.timer is not None:
            side.timer.cancel()
            side.timer = None
        if self.proxy.conduct.stalled or side.other is None:
            return
        now = asyncio.get_running_loop().time()
        while side.queue and side.queue[0][0] <= now:
            _, piece = side.queue.popleft()
            side.queued -= len(piece)
            self._write(side, piece)
        if side.queue:
            side.timer = asyncio.get_running_loop().call_at(side.queue[0][0], self.pump, side)
        elif side.finished and side.other.transport is not None and not self.orphaned:
            side.other.transport.close()
        if side.queued <= QUEUE_BYTES and side.transport is not None and not side.transport.is_closing():
            side.transport.resume_reading()

    def _write(self, side: Side, data: bytes) -> None:
        if side.other is not None and side.other.transport is not None and not side.other.transport.is_closing():
            side.other.transport.write(data)

    def lost(self, side: Side, *, by_reset: bool) -> None:
        if self.orphaned:
            self._forget_when_empty()
            return
        if by_reset:
            self.reset()
        elif side.other is not None and side.other.transport is not None:
            side.other.transport.close()
        self._forget_when_empty()

    def reset(self) -> None:
        for side in (self.client, self.server):
            if side.transport is not None and not side.transport.is_closing():
                link: socket.socket = side.transport.get_extra_info("socket")
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.transport.abort()

    def finish(self) -> None:
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.close()

    def _forget_when_empty(self) -> None:
        if all(side.transport is None or side.transport.is_closing() for side in (self.client, self.server)):
            self.proxy.links.discard(self)


class FaultProxy:
    """Listens on a free port of this machine and passes on to `target`."""

    def __init__(self, host: str, port: int, *, seed: int = 1) -> None:
        self.target = (host, port)
        self.conduct = Conduct()
        self.links: set[Link] = set()
        self.chance = Random(seed)  # noqa: S311 — a story that can be told again
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            self._accepted, "127.0.0.1", self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.reset()  # what one of them opened in its last moment
        await asyncio.sleep(0)  # a transport closes in the next turn of the loop

    def _accepted(self) -> Side:
        link = Link(self)
        self.links.add(link)
        return link.client

    def later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ── what can be done to it ───────────────────────────────────────────────────────────────────────────────────

    def behave(self, conduct: Conduct) -> None:
        self.conduct = conduct
        for link in list(self.links):
            link.pump(link.client)
            link.pump(link.server)

    def reset(self) -> int:
        """All open links break by RST."""
        links = list(self.links)
        for link in links:
            link.reset()
        return len(links)

    def finish(self) -> int:
        """All open links end by FIN when half of the next piece has passed: inside a frame."""
        links = list(self.links)
        for link in links:
            link.ends_in_frame = True
        return len(links)

    def orphan(self) -> int:
        """Open links stay open on both sides and forward nothing ever again: a NAT that forgot, a hung peer. TCP goes
        on acknowledging; new links work."""
        links = [link for link in self.links if not link.orphaned]
        for link in links:
            link.orphaned = True
        return len(links)

    def cut(self) -> None:
        """Open links break and new ones are refused."""
        self.refuse()
        self.reset()

    def refuse(self) -> None:
        """New links are refused; open ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None


class ThreadedProxy:
    """A fault proxy in a thread with a loop of its own, for a driver that has none."""

    def __init__(self, host: str, port: int) -> None:
        self.proxy = FaultProxy(host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop))

    @property
    def port(self) -> int:
        return self.proxy.port

    def do(self, act: Callable[[FaultProxy], Any]) -> Any:
        """Runs it in the proxy's loop and gives what it returns."""

        async def run() -> Any:
            return act(self.proxy)

        return self._wait(asyncio.run_coroutine_threadsafe(run(), self._loop))

    def reopen(self) -> None:
        self._wait(asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop))

    def stop(self) -> None:
        self._wait(asyncio.run_coroutine_threadsafe(self.proxy.stop(), self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @staticmethod
    def _wait(future: "Future[Any]") -> Any:
        return future.result(10)
