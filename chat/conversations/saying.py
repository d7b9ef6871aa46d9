"""What becomes of a group of messages, given the locked conversations and the refs that exist. Pure: no I/O, no clock.

A `ref` that exists already leaves the group before numbers are given, so a resend burns no `seq`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from chat.conversations.entry import Author, StoredEntry
from chat.conversations.models import CANARY, PUBLIC
from chat.protocol.errors import RefTaken, Refusal, UnknownConversation

NO_DATA: Mapping[str, Any] = {}
Known = dict[tuple[UUID, str], StoredEntry]


class Saying(NamedTuple):
    """One message that wants to be said."""

    conversation_id: UUID
    author: Author
    text: str
    ref: str
    reopens: bool = True
    held_by: UUID | None = None
    """Said only while this operator has the conversation; else the answer is `NotHeld`."""
    data: Mapping[str, Any] = NO_DATA
    """`files` that go along."""


class NotHeld(Exception):
    """The conversation is not, or not any more, the operator's who wants to speak."""


class Locked(NamedTuple):
    """What must be known of a conversation to say something in it."""

    last_seq: int
    state: str
    waits: bool
    """Somebody waits for us: `waiting_since` is set."""
    replied: bool
    operator_id: UUID | None
    created_at: str
    """As the database writes it: read only for a first reply."""


@dataclass(slots=True)
class Talk:
    """A locked conversation while messages are added to it. None in a field: it stays as it is."""

    conversation_id: UUID
    locked: Locked
    now: datetime
    last_seq: int = 0
    state: str = ""
    operator_id: UUID | None = None
    waits: bool = False
    wait: str = "kept"
    """What becomes of the moment since when they wait: kept, began (now), over"""
    added: list[StoredEntry] = field(default_factory=list)
    reopened: bool = False
    text: str = ""
    by: str = ""
    visitor_read_seq: int | None = None
    operator_read_seq: int | None = None
    first_reply_seconds: float | None = None

    def __post_init__(self) -> None:
        locked = self.locked
        self.last_seq, self.state, self.operator_id = locked.last_seq, locked.state, locked.operator_id
        self.waits = locked.waits

    @property
    def is_plain(self) -> bool:
        """Nothing changed but heads, marks and the last words: no index of the table is touched."""
        return self.wait == "kept" and not self.reopened and self.first_reply_seconds is None

    def is_held_by(self, operator_id: UUID) -> bool:
        return self.state in ("active", CANARY) and self.operator_id == operator_id

    def say(self, saying: Saying) -> StoredEntry:
        by_visitor = saying.author.kind == "visitor"
        if by_visitor and saying.reopens and self.state in ("ended", "left"):
            # A word after the end is never lost and never alone: the conversation goes back to the queue.
            if self.state == "ended":
                self._add("event", saying.author, "", {"event": "reopened"}, None)
            self.state, self.operator_id, self.reopened = "waiting", None, True
            self.waits, self.wait = True, "began"
        entry = self._add("message", saying.author, saying.text, saying.data, saying.ref)
        self.text, self.by = preview_of(saying.text, saying.data), saying.author.kind
        if by_visitor:
            self.visitor_read_seq = entry.seq
            if not self.waits and self.state not in ("ended", "left"):
                self.waits, self.wait = True, "began"
        else:
            self.operator_read_seq = entry.seq
            # Who stands in line is answered by whoever takes them; a word from elsewhere costs them no place.
            if self.waits and self.state not in ("waiting", "offered"):
                self.waits, self.wait = False, "over"
            if not self.locked.replied and self.first_reply_seconds is None and saying.author.id is not None:
                # A machine's clock may have been set back meanwhile.
                self.first_reply_seconds = max(0.0, (self.now - moment(self.locked.created_at)).total_seconds())
        return entry

    def _add(self, kind: str, author: Author, text: str, data: Mapping[str, Any], ref: str | None) -> StoredEntry:
        self.last_seq += 1
        entry = StoredEntry(self.conversation_id, PUBLIC, self.last_seq, kind, author, text, data, ref, 0, self.now)
        self.added.append(entry)
        return entry


def preview_of(text: str, data: Mapping[str, Any]) -> str:
    """What lists show of it: the words, or else the names of the files."""
    return ((text.strip() and text) or ", ".join(str(one["name"]) for one in data.get("files", ())))[:200]


Answer = StoredEntry | Refusal | NotHeld


@dataclass(slots=True)
class Outcome:
    """One answer per message, in their order, and the conversations to which something is added."""

    answers: list[Answer] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    again: list[StoredEntry] = field(default_factory=list)
    """Said before this group. Whoever committed them may have ended before telling anybody."""


def plan(
    group: Sequence[Saying],
    locked: Mapping[UUID, Locked],
    known: Known,
    now: datetime,
    absent: type[Refusal] = UnknownConversation,
) -> Outcome:
    """`known` grows by what is said here: the same ref twice in one group is one message. `absent`: what is answered
    where a conversation is not among the locked ones."""
    outcome = Outcome()
    talks: dict[UUID, Talk] = {}
    for saying in group:
        row = locked.get(saying.conversation_id)
        if row is None:
            outcome.answers.append(absent())
            continue
        key = saying.conversation_id, saying.ref
        earlier = known.get(key)
        if earlier is None:
            talk = talks.get(saying.conversation_id) or Talk(saying.conversation_id, row, now)
            if saying.held_by is not None and not talk.is_held_by(saying.held_by):
                outcome.answers.append(NotHeld())
                continue
            if not talk.added:
                talks[saying.conversation_id] = talk
                outcome.talks.append(talk)
            earlier = known[key] = talk.say(saying)
        elif not _is_resend(saying, earlier):
            outcome.answers.append(RefTaken())
            continue
        elif earlier.seq <= row.last_seq:
            outcome.again.append(earlier)
        outcome.answers.append(earlier)
    return outcome


def moment(text: str) -> datetime:
    """Of a time as the database writes it, which without a zone is UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _is_resend(saying: Saying, earlier: StoredEntry) -> bool:
    """The same author's message; a note of theirs with this `ref` is something else."""
    same = (earlier.author.kind, earlier.author.id) == (saying.author.kind, saying.author.id)
    return same and (earlier.stream, earlier.kind) == (PUBLIC, "message")
