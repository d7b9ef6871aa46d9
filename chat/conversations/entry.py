"""One entry of a stream in memory, between processes, and the drafts that become entries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping


class Author(msgspec.Struct, frozen=True, gc=False):
    kind: str
    """visitor, operator, system"""
    id: UUID | None = None
    name: str = ""


SYSTEM = Author("system")


class EntryDraft(msgspec.Struct, frozen=True, gc=False):
    """What is to be appended; `seq` is given by the stream."""

    kind: str
    """message, event, card, note"""
    author: Author = SYSTEM
    text: str = ""
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    ref: str | None = None


def event(name: str, author: Author = SYSTEM, **data: Any) -> EntryDraft:
    return EntryDraft("event", author, data={"event": name, **data})


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """A committed entry."""

    conversation_id: UUID
    stream: str
    seq: int
    kind: str
    author: Author
    text: str
    data: Mapping[str, Any]
    ref: str | None
    after_seq: int
    at: datetime


def entry_of(row: RowMapping) -> StoredEntry:
    return StoredEntry(
        conversation_id=row["conversation_id"],
        stream=row["stream"],
        seq=row["seq"],
        kind=row["kind"],
        author=Author(row["author_kind"], row["author_id"], row["author_name"]),
        text=row["text"],
        data=row["data"],
        ref=row["ref"],
        after_seq=row["after_seq"],
        at=row["at"],
    )


class _Encoded(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A stored entry between processes. JSON, as its row has it: what a column would change, this changes alike."""

    seq: int
    kind: str
    author_kind: str
    author_id: UUID | None
    author_name: str
    text: str
    data: dict[str, Any]
    ref: str | None
    after_seq: int
    at: datetime


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Encoded).decode


def encode_entry(entry: StoredEntry) -> bytes:
    author = entry.author
    return _encode(
        _Encoded(
            entry.seq,
            entry.kind,
            author.kind,
            author.id,
            author.name,
            entry.text,
            dict(entry.data),
            entry.ref,
            entry.after_seq,
            entry.at,
        )
    )


def decode_entry(conversation_id: UUID, stream: str, data: bytes) -> StoredEntry:
    """Raises ValueError (msgspec's) for anything else."""
    one = _decode(data)
    author = Author(one.author_kind, one.author_id, one.author_name)
    return StoredEntry(
        conversation_id, stream, one.seq, one.kind, author, one.text, one.data, one.ref, one.after_seq, one.at
    )
