"""What hints say: news as a JSON object, the head of a stream as a JSON array with the entries that fit. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from chat.hub.bus import MAX_PAYLOAD

News = Mapping[str, Any]
MOST_ENTRIES = 32
"""At once. Who misses more reads rows: that is one query."""


class Head(Struct, array_like=True, frozen=True):
    stream: str
    seq: int
    entries: list[Raw] = []
    """The last ones up to `seq`, ascending, as the source of entries encoded them."""


_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(Head).decode
_decode_news = msgspec.json.Decoder(dict[str, Any]).decode


def encode_news(news: News) -> bytes:
    return _encode(news)


def encode_heads(stream: str, seq: int, entries: Sequence[bytes | None]) -> list[bytes]:
    """One hint or several, in order; `entries` end with `seq`. One that is too large leaves a bare head behind."""
    if len(entries) > MOST_ENTRIES:
        return [_encode(Head(stream, seq))]
    room = MAX_PAYLOAD - len(stream) - 32
    hints: list[bytes] = []
    batch: list[Raw] = []
    size = 0
    first = seq - len(entries) + 1
    for place, entry in enumerate(entries):
        if batch and (entry is None or size + len(entry) + 1 > room):
            hints.append(_encode(Head(stream, first + place - 1, batch)))
            batch, size = [], 0
        if entry is None or len(entry) > room:
            hints.append(_encode(Head(stream, first + place)))
            continue
        batch.append(Raw(entry))
        size += len(entry) + 1
    if batch:
        hints.append(_encode(Head(stream, seq, batch)))
    return hints


def decode(payload: bytes) -> News | Head:
    """Raises `msgspec.DecodeError` for anything else."""
    return _decode_head(payload) if payload[:1] == b"[" else _decode_news(payload)
