"""The bus between processes: a small seam with two implementations and one contract suite.

Guarantee: *at most once, unordered between topics, never loud*. A hint says "look now"; it carries no truth. What a
lost hint left behind is found by the hub's sweep, so an implementation may lose anything, but must call `on_gap`
when it knows that it did. `publish` never waits and never raises: a hung bus delays no acknowledgement.
"""

from collections.abc import Callable
from typing import Protocol

Hint = Callable[[str, bytes], None]
"""topic, payload (at most 4 kB of JSON)"""

MAX_PAYLOAD = 4096


class Bus(Protocol):
    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None: ...

    async def stop(self) -> None: ...

    def publish(self, topic: str, payload: bytes) -> None:
        """Hands the payload to every *other* process that follows the topic. Raises ValueError over `MAX_PAYLOAD`."""
        ...

    def follow(self, topic: str) -> None: ...

    def unfollow(self, topic: str) -> None: ...

    @property
    def is_up(self) -> bool:
        """False while hints are known to be lost: the hub polls faster then."""
        ...
