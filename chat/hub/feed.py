"""A stream of one conversation as this process follows it: its head, a window of recent entries, its followers.

Each follower has a cursor. Whatever happens (a commit here, a hint from the bus, a sweep), the feed's head rises and
every live follower is brought from its cursor to the head, entry by entry, from the window or from rows. So order and
"exactly once" are properties of the cursor, not of whoever delivered the news.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from chat.hub.connection import Connection

WINDOW = 64


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


@dataclass(eq=False, slots=True)
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


class Feed:
    """Fifteen thousand of them may stand idle in a process: a feed holds entries only while somebody needs them."""

    __slots__ = ("filling", "followers", "head", "key", "window")

    def __init__(self, key: FeedKey) -> None:
        self.key = key
        self.head = 0
        self.filling = False
        self.followers: list[Follower] = []
        self.window: dict[int, StreamEntry] | None = None

    def wants(self, seq: int) -> bool:
        """Whether an entry of this number is news to anybody here."""
        return any(follower.cursor < seq for follower in self.followers) and seq not in (self.window or ())

    def add(self, entries: list[StreamEntry]) -> None:
        if self.window is None:
            self.window = {}
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
        window = self.window or {}
        missing: int | None = None
        lowest = self.head
        for follower in list(self.followers):
            while follower.live and follower.cursor < self.head:
                entry = window.get(follower.cursor + 1)
                if entry is None:
                    wanted = follower.cursor + 1
                    missing = wanted if missing is None else min(missing, wanted)
                    break
                follower.take(entry)
            lowest = min(lowest, follower.cursor)
        if lowest == self.head:
            self.window = None
        return missing
