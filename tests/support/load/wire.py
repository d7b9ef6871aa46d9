"""What a client of the load reads of the wire: the rest of each frame is passed over unread, so that thousands of
clients cost little. Written from chat/protocol/README.md, not from the product's code."""

from typing import Any

import msgspec
from msgspec import Struct

ENCODER = msgspec.json.Encoder()


class Head(Struct):
    type: str


class Entry(Struct):
    seq: int
    kind: str
    text: str = ""
    ref: str = ""
    event: str = ""
    data: dict[str, Any] = {}

    @property
    def mark(self) -> str:
        """The ref that its sender put in front of the text: everybody can read it there."""
        return self.text.partition(" ")[0] if self.kind in ("message", "note") else ""


class Entries(Struct):
    """said, noted, paged"""

    conversation: str
    entries: list[Entry]
    stream: str = "public"
    more: bool = False
    reset: bool = False


class Named(Struct):
    id: str


class Attended(Struct):
    operator: Named


class Welcomed(Struct):
    known: bool
    conversation: Named | None = None


class Enrolled(Struct):
    token: str


class Started(Struct):
    conversation: Named


class About(Struct):
    """offered, withdrawn, done"""

    conversation: str = ""
    ref: str = ""
    because: str = ""


class Refused(Struct):
    code: str
    ref: str = ""
    conversation: str = ""
    retry: bool = False
    retry_after: float = 0


class Retired(Struct):
    after: float


head = msgspec.json.Decoder(Head)
SHAPES: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(shape)
    for name, shape in {
        "welcomed": Welcomed,
        "attended": Attended,
        "enrolled": Enrolled,
        "started": Started,
        "said": Entries,
        "noted": Entries,
        "paged": Entries,
        "offered": About,
        "withdrawn": About,
        "done": About,
        "refused": Refused,
        "retired": Retired,
        "beat": Head,
    }.items()
}


def encode(kind: str, **fields: Any) -> bytes:
    return ENCODER.encode({"type": kind, **fields})
