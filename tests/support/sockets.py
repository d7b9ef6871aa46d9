"""A transport in memory: what the hub sent, and a client that can stop reading."""

import asyncio

from chat.hub.connection import Gone


class MemoryTransport:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.inbound: asyncio.Queue[str | None] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.news = asyncio.Condition()

    async def receive(self) -> str:
        text = await self.inbound.get()
        if text is None:
            raise Gone
        return text

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.sent.append(text)
        async with self.news:
            self.news.notify_all()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        async with self.news:
            self.news.notify_all()

    async def until(self, count: int, seconds: float = 10) -> list[str]:
        """The first `count` texts, once they are there."""
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(lambda: len(self.sent) >= count)
        return self.sent[:count]
