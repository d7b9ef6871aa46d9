"""The bus between processes: a small seam with two implementations and one contract suite.

Guarantee: *at most once, unordered between topics, never loud*. A hint says "look now"; it carries no truth. What a
lost hint left behind is found by the hub's sweep, so an implementation may lose anything, but must call `on_gap`
when it knows that it did. `publish` never waits and never raises but for a payload that is too large: a hung bus delays
no acknowledgement.
"""

from collections.abc import Callable
from typing import Protocol

Hint = Callable[[str, bytes], None]
"""topic, payload (at most 4 kB)"""

MAX_PAYLOAD = 4096


class Bus(Protocol):
    published: int
    """Hints handed to the wire, one for each process they go to."""
    received: int
    """Hints that came for a topic followed here."""
    dropped_bad_mac: int
    """Batches that were not made by a process with our key."""
    gaps: int
    """How often hints are known to have been lost."""

    can_store: Callable[[], bool]
    """What this process says of itself to the others: whether their clients would be served here."""

    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None: ...

    async def stop(self) -> None: ...

    def publish(self, topic: str, payload: bytes, *, keep: str = "") -> None:
        """Hands the payload to every *other* process that follows the topic. Raises ValueError over `MAX_PAYLOAD`.

        With `keep`, a process that begins to follow within the next seconds is handed the last payload of that name.
        """
        ...

    def follow(self, topic: str) -> None: ...

    def unfollow(self, topic: str) -> None: ...

    @property
    def is_up(self) -> bool:
        """False while hints are known to be lost: the hub polls faster then."""
        ...

    @property
    def others_can_store(self) -> bool:
        """Whether another process said lately that it serves clients and that its database takes what it writes."""
        ...

    @property
    def silence_seconds(self) -> float:
        """Since this process last heard itself."""
        ...
