"""A stream of one conversation as this process follows it: its head, a window of recent entries, its followers.

Each follower has a cursor. Whatever happens (a commit here, a hint from the bus, a sweep), the feed's head rises and
every live follower is brought from its cursor to the head, entry by entry, from the window or from rows. So order and
"exactly once" are properties of the cursor, not of whoever delivered the news.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from chat.hub.connection import Connection

WINDOW = 256


class FeedKey(NamedTuple):
    conversation_id: UUID
    stream: str


class StreamEntry(Protocol):
    """One entry; `frame_for` renders it once per audience and remembers the text."""

    @property
    def seq(self) -> int: ...

    @property
    def author_id(self) -> UUID | None: ...

    def frame_for(self, audience: Any, *, with_ref: bool) -> str: ...


@dataclass(eq=False)
class Follower:
    """A connection's cursor in a stream. Not live until its history has been paged out to it."""

    connection: Connection
    audience: Any
    """A hashable key: who reads, in which language."""
    cursor: int
    reader_id: UUID | None = None
    """Whose own entries carry their `ref`."""
    live: bool = False

    def take(self, entry: StreamEntry) -> None:
        own = self.reader_id is not None and entry.author_id == self.reader_id
        self.connection.push(entry.frame_for(self.audience, with_ref=own))
        self.cursor = entry.seq


@dataclass(eq=False)
class Feed:
    key: FeedKey
    head: int = 0
    window: dict[int, StreamEntry] = field(default_factory=dict)
    followers: set[Follower] = field(default_factory=set)
    filling: bool = False

    def add(self, entries: list[StreamEntry]) -> None:
        for entry in entries:
            self.window[entry.seq] = entry
            self.head = max(self.head, entry.seq)
        while len(self.window) > WINDOW:
            del self.window[min(self.window)]

    def deliver(self, entries: list[StreamEntry]) -> None:
        """Rows for whoever waits for just these. They do not pass the window, which may hold much newer ones."""
        for follower in list(self.followers):
            if follower.live:
                for entry in entries:
                    if entry.seq == follower.cursor + 1:
                        follower.take(entry)
        self.head = max(self.head, entries[-1].seq)

    def pump(self) -> int | None:
        """Brings every live follower as far as the window allows; the first missing seq, or None."""
        missing: int | None = None
        for follower in list(self.followers):
            if not follower.live:
                continue
            while follower.cursor < self.head:
                entry = self.window.get(follower.cursor + 1)
                if entry is None:
                    wanted = follower.cursor + 1
                    missing = wanted if missing is None else min(missing, wanted)
                    break
                follower.take(entry)
        return missing
