"""One entry of a stream in memory, and the drafts that become entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping


@dataclass(frozen=True, slots=True)
class Author:
    kind: str
    """visitor, operator, system"""
    id: UUID | None = None
    name: str = ""


SYSTEM = Author("system")


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """What is to be appended; `seq` is given by the stream."""

    kind: str
    """message, event, card, note"""
    author: Author = SYSTEM
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    ref: str | None = None


def event(name: str, author: Author = SYSTEM, **data: Any) -> EntryDraft:
    return EntryDraft("event", author, data={"event": name, **data})


@dataclass(frozen=True, slots=True)
class StoredEntry:
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
