"""The bus of one process. Several on one `MemoryBroker` behave as several processes do, for tests and embedding."""

import asyncio

from chat.hub.process_bus import ProcessBus
from chat.hub.wire import Carried, Pace


class MemoryBroker:
    def __init__(self) -> None:
        self.wires: dict[bytes, list[MemoryWire]] = {}

    def publish(self, channel: bytes, data: bytes) -> int:
        """To all that listen on the channel; how many they are."""
        listening = self.wires.get(channel, [])
        loop = asyncio.get_running_loop()
        for wire in listening:
            loop.call_soon(wire.deliver, channel, data)
        return len(listening)


class MemoryWire:
    is_ready = True

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._channels: tuple[bytes, ...] = ()
        self._bus: Carried | None = None

    async def start(self, channels: tuple[bytes, ...], bus: Carried) -> None:
        self._channels, self._bus = channels, bus
        self.renew()

    async def stop(self) -> None:
        for channel in self._channels:
            listening = self._broker.wires.get(channel, [])
            if self in listening:
                listening.remove(self)
        self._bus = None

    def renew(self) -> None:
        for channel in self._channels:
            listening = self._broker.wires.setdefault(channel, [])
            if self not in listening:
                listening.append(self)
        if self._bus is not None:
            self._bus.wire_opened()

    def send(self, batches: list[tuple[bytes, bytes]]) -> None:
        for channel, data in batches:
            self._broker.publish(channel, data)

    def deliver(self, channel: bytes, data: bytes) -> None:
        if self._bus is not None:
            self._bus.take(channel, data)


class MemoryBus(ProcessBus):
    def __init__(
        self, broker: MemoryBroker | None = None, secret_key: str = "", *, prefix: str = "", pace: Pace | None = None
    ) -> None:
        self.broker = broker or MemoryBroker()
        super().__init__(MemoryWire(self.broker), secret_key, prefix=prefix, pace=pace or Pace())
