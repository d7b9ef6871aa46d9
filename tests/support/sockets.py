"""A transport in memory: what the hub sent, and a client that can stop reading."""

import asyncio

from chat.hub.transport import Receiver


class MemoryTransport:
    farewell = ""
    keeps_order = False
    lingers = 0.0

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.aborted = False
        self.is_full = False
        self.is_paused = False
        self.receiver: Receiver | None = None
        self.news = asyncio.Event()

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, text: str) -> None:
        self.sent.append(text)
        self.news.set()

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.news.set()

    @property
    def said_goodbye(self) -> bool:
        return self.closed is not None

    def abort(self) -> None:
        self.aborted = True
        self.news.set()

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    async def until(self, count: int, seconds: float = 10) -> list[str]:
        """The first `count` texts, once they are there."""
        async with asyncio.timeout(seconds):
            while len(self.sent) < count:
                self.news.clear()
                await self.news.wait()
        return self.sent[:count]
