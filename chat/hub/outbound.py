"""What waits to leave for one other process, or for all: taken in numbered batches of at most 64 kB. Does no I/O.

Bounded: when the wire stands still the oldest hints go, and their numbers with them, so that the receiver knows of it.
"""

from msgspec import Struct, msgpack

from chat.hub.gossip import Said

BATCH_BYTES = 60 * 1024
MAX_WAITING_BYTES = 1024 * 1024
OVERHEAD = 10
"""Of a hint in its batch: two lengths and a list."""


class Hints(Struct, array_like=True, tag=1, frozen=True):
    """Look now: topic and payload, in the order in which they were published."""

    hints: list[tuple[str, bytes]]


Message = Hints | Said

_encode = msgpack.Encoder().encode


class Outbound:
    """A number that is missing at the other end is a loss that it knows of.

    `last` is the last number used so far: one for the same channel and sender never begins again below it, or all of it
    would be taken for a repetition.
    """

    __slots__ = ("_bodies", "_hints", "_hints_bytes", "_number", "channel")

    def __init__(self, channel: bytes, last: int) -> None:
        self.channel = channel
        self._number = last
        self._bodies: list[bytes] = []
        self._hints: list[tuple[str, bytes]] = []
        self._hints_bytes = 0

    def hint(self, topic: str, payload: bytes) -> None:
        size = len(topic) + len(payload) + OVERHEAD
        if self._hints_bytes + size > BATCH_BYTES:
            self._pack()
        self._hints.append((topic, payload))
        self._hints_bytes += size

    def say(self, said: Said) -> None:
        self._pack()
        self._bodies.append(_encode(said))

    def take(self) -> list[tuple[int, bytes]]:
        """All that waits: number and body of each batch."""
        self._pack()
        bodies, self._bodies = self._bodies, []
        first, self._number = self._number + 1, self._number + len(bodies)
        return list(enumerate(bodies, first))

    def lose(self) -> None:
        """All that waits goes nowhere."""
        self.take()

    def _pack(self) -> None:
        if not self._hints:
            return
        self._bodies.append(_encode(Hints(self._hints)))
        self._hints, self._hints_bytes = [], 0
        if len(self._bodies) * BATCH_BYTES > MAX_WAITING_BYTES and sum(map(len, self._bodies)) > MAX_WAITING_BYTES:
            half = len(self._bodies) // 2
            del self._bodies[:half]
            self._number += half
