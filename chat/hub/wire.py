"""What carries the batches of the bus: a seam with two implementations, in memory and over Redis."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Pace:
    """In seconds. Deafness is at most 5 s, the tick that finds it included; a dead process is no follower after 10."""

    beat: float = 2.0
    deaf: float = 4.5
    forget: float = 8.0

    @property
    def tick(self) -> float:
        return self.beat / 4


class Carried(Protocol):
    """The bus, as its wire sees it."""

    def wire_opened(self) -> None: ...

    def wire_closed(self) -> None: ...

    def wire_ready(self) -> None:
        """After too much had been waiting for an answer."""
        ...

    def take(self, channel: bytes, data: bytes) -> None: ...


class Wire(Protocol):
    """Moves sealed batches, in order, at most once."""

    async def start(self, channels: tuple[bytes, ...], bus: Carried) -> None: ...

    async def stop(self) -> None: ...

    def send(self, batches: list[tuple[bytes, bytes]]) -> None:
        """Channel and data of each; called only while it is ready."""
        ...

    def renew(self) -> None:
        """It is deaf: it closes and opens again."""
        ...

    @property
    def is_ready(self) -> bool:
        """False while too much waits for an answer; `wire_ready` tells when that is over."""
        ...
