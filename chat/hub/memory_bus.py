"""The bus of one process. Several on one `MemoryBroker` behave as several processes do, for tests and embedding."""

import asyncio
from collections.abc import Callable

from chat.hub.bus import MAX_PAYLOAD, Hint


class MemoryBroker:
    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []


class MemoryBus:
    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self._broker = broker or MemoryBroker()
        self._topics: set[str] = set()
        self._on_hint: Hint | None = None

    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None:
        self._on_hint = on_hint
        self._broker.buses.append(self)

    async def stop(self) -> None:
        self._on_hint = None
        if self in self._broker.buses:
            self._broker.buses.remove(self)

    def publish(self, topic: str, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            raise ValueError("a hint holds at most 4 kB")
        loop = asyncio.get_running_loop()
        for bus in self._broker.buses:
            if bus is not self and topic in bus._topics and bus._on_hint is not None:
                loop.call_soon(bus._deliver, topic, payload)

    def _deliver(self, topic: str, payload: bytes) -> None:
        if self._on_hint is not None:
            self._on_hint(topic, payload)

    def follow(self, topic: str) -> None:
        self._topics.add(topic)

    def unfollow(self, topic: str) -> None:
        self._topics.discard(topic)

    @property
    def is_up(self) -> bool:
        return True
