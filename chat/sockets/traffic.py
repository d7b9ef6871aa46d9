"""What the sockets of a process have carried, counted where it passes: a step of 0.1 µs for each frame."""

from collections import defaultdict

from chat.hub.connection import KIND
from chat.protocol import frames
from chat.tally import Counts

REFUSED = "refused"
"""What came and was no frame, or not allowed."""


def _types(*unions: object) -> dict[str, str]:
    """What stands at `KIND` when a frame is encoded, with fields and, since defaults are left out, without."""
    found = [frame for union in unions for frame in union.__args__]  # type: ignore[attr-defined]
    width = KIND.stop - KIND.start
    tags = [frame.__struct_config__.tag for frame in found]
    return {f"{tag}{ending}"[:width]: tag for tag in tags for ending in ('","', '"}')}


SENT = _types(frames.ToVisitor, frames.ToOperator)


class Traffic:
    """`sent` by the first letters of a frame's type, `received` by its class; `frames()` says both in words."""

    __slots__ = ("closed", "received", "sent")

    def __init__(self) -> None:
        self.sent: defaultdict[str, int] = defaultdict(int)
        self.received: dict[type, int] = {}
        self.closed = Counts()
        """By role and close code, or `poll` for one that was answered."""

    def came(self, kind: type) -> None:
        self.received[kind] = self.received.get(kind, 0) + 1

    def frames(self) -> Counts:
        found = Counts()
        for letters, count in self.sent.items():
            found["out", SENT[letters]] += count
        for kind, count in self.received.items():
            config = getattr(kind, "__struct_config__", None)
            found["in", str(config.tag) if config else REFUSED] += count
        return found
