"""Every frame on the wire, typed once. The browser's types and the JSON Schema are generated from here.

Frames in are imperatives, frames out are past tense. Decoding is a closed table: a `type` that is
not here is an error frame, and nothing a client sends is ever looked up by name. Unknown *fields* are ignored, so
that a newer client can talk to an older server.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Ref = Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""The sender's own name for what it sends; a resend carries the same one."""
Id = Annotated[str, Meta(min_length=32, max_length=36)]
Text = Annotated[str, Meta(max_length=10_000)]
ShortText = Annotated[str, Meta(max_length=120)]
Address = Annotated[str, Meta(max_length=254)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]
Files = Annotated[list[Id], Meta(max_length=10)]
"""Uploads that are ready, by their ids: they go along with the words, or without."""
Token = Annotated[str, Meta(min_length=20, max_length=80)]


class Frame(Struct, frozen=True, omit_defaults=True, tag_field="type", tag=str.lower):
    """Base: `type` is the class name in lower case; fields with their default are left out."""


# ── values inside frames ─────────────────────────────────────────────────────────────────────────────────────────


class Page(Struct, frozen=True, omit_defaults=True):
    url: Annotated[str, Meta(max_length=2000)] = ""
    title: Annotated[str, Meta(max_length=300)] = ""
    referrer: Annotated[str, Meta(max_length=2000)] = ""


class Person(Struct, frozen=True, omit_defaults=True):
    """Who said it, as the reader may see: kind is visitor, operator or system."""

    kind: str
    name: str = ""
    id: str = ""


class Card(Struct, frozen=True, omit_defaults=True):
    """A block in the conversation that changes over time. The entry with the highest `revision` of a `key` counts;
    it stands where the first one stood."""

    key: str
    revision: int
    kind: str
    """`ticket`; unknown kinds are shown as title and rows."""
    title: str
    number: str = ""
    state: str = ""
    """A word of the reader's, already translated: the frame is made per audience and language."""
    tone: str = ""
    """of the state chip: accent, success, warning, danger or empty."""
    facts: list[str] = []
    due_at: str = ""
    """RFC 3339; a running clock: first reply by."""
    due_label: str = ""
    links: list["CardLink"] = []


class CardLink(Struct, frozen=True, omit_defaults=True):
    label: str
    url: str


class Attachment(Struct, frozen=True, omit_defaults=True):
    """A file that goes along with a message. Visitors get links to it by `POST /w/SITE_KEY/files`."""

    id: str
    name: str
    type: str
    """Of its content: image/png, image/jpeg, image/gif and image/webp are shown, all else is a download."""
    size: int
    """Bytes."""
    width: int = 0
    height: int = 0
    """Of an image, in pixels."""


class Entry(Struct, frozen=True, omit_defaults=True):
    """One entry of a stream. `event` is one of: queued, offered, assigned, transferred, returned, left, ended,
    reopened, rated, escalated. `data` holds what the event needs: operator {id, name}, department {slug, name} …"""

    seq: int
    kind: str
    """message, event, card, note"""
    at: str
    author: Person
    text: str = ""
    ref: str = ""
    """Only in the copy for the one who sent it."""
    event: str = ""
    data: dict[str, Any] = {}
    card: Card | None = None
    after: int = 0
    """Of a note: the public seq it follows."""
    html: str = ""
    """Only for consoles: the rendered partial."""
    files: list[Attachment] = []


class ConversationState(Struct, frozen=True, omit_defaults=True):
    """What the public stream adds up to at `seq`."""

    id: str
    state: str
    """waiting, active, left, ended (an offer is `waiting` for the visitor)"""
    seq: int = 0
    operator: Person | None = None
    department: str = ""
    department_name: str = ""
    visitor_read: int = 0
    operator_read: int = 0
    rated: bool = False
    email: str = ""
    started_at: str = ""
    first_reply_seconds: float | None = None


class Staff(Struct, frozen=True, omit_defaults=True):
    """Who is there now, and how fast answers came: measured over 30 days, absent below 20 conversations."""

    online: int = 0
    names: list[str] = []
    reply_p50: float | None = None
    reply_p90: float | None = None


# ── from a visitor ───────────────────────────────────────────────────────────────────────────────────────────────


class Hello(Frame, frozen=True):
    """First frame of every socket, within 10 s. Without a token the connection has no identity."""

    site: Annotated[str, Meta(max_length=40)]
    token: Token | None = None
    conversation: Id | None = None
    """The conversation the client shows; with it `last_seen` counts."""
    last_seen: Seq = 0
    locale: Annotated[str, Meta(max_length=8)] = "en"
    time_zone: Annotated[str, Meta(max_length=64)] = ""
    page: Page | None = None


class Enroll(Frame, frozen=True):
    """Asks for a token, before the first message. Answered by `enrolled`."""


class Start(Frame, frozen=True):
    """Begins a conversation with its first message; `ref` is also the start key: sent again it is the same one."""

    ref: Ref
    text: Text
    name: ShortText = ""
    email: Address = ""
    department: Annotated[str, Meta(max_length=40)] = ""
    page: Page | None = None
    files: Files = []


class Say(Frame, frozen=True):
    """`text` may be empty where files go along."""

    ref: Ref
    text: Text
    conversation: Id
    files: Files = []


class Leave(Frame, frozen=True):
    """Leaves a message with an address: it becomes a ticket. Without `conversation` it begins one."""

    ref: Ref
    email: Address
    text: Text = ""
    name: ShortText = ""
    department: Annotated[str, Meta(max_length=40)] = ""
    conversation: Id | None = None
    page: Page | None = None
    files: Files = []


class Type(Frame, frozen=True):
    """Not stored, not acknowledged; at most one in 2 s is passed on."""

    conversation: Id
    typing: bool = True


class Read(Frame, frozen=True):
    conversation: Id
    seq: Seq


class Fetch(Frame, frozen=True):
    """A page of entries: after `after` (resuming, oldest first) or before `before` (reading back)."""

    conversation: Id
    after: Seq | None = None
    before: Seq | None = None
    stream: Annotated[str, Meta(pattern="^(public|internal)$")] = "public"
    """internal is for operators; a visitor's request is always about the public one."""


class Visit(Frame, frozen=True):
    """The host page changed."""

    page: Page


class End(Frame, frozen=True):
    conversation: Id
    ref: Ref | None = None


class Rate(Frame, frozen=True):
    conversation: Id
    score: Annotated[int, Meta(ge=1, le=5)]
    text: Annotated[str, Meta(max_length=1000)] = ""


class Beat(Frame, frozen=True):
    """Heartbeat, both ways: the server sends one every 20 s, the client answers within 5 s with one of its own. A
    client that asks (on waking, or when nothing answers, to know whether the line lives) gets one at once; what answers
    never asks."""

    ask: bool = False


VisitorFrame = Hello | Enroll | Start | Say | Leave | Type | Read | Fetch | Visit | End | Rate | Beat

# ── from an operator ─────────────────────────────────────────────────────────────────────────────────────────────


class Attend(Frame, frozen=True):
    """First frame of an operator's socket. `socket_pass` is single use, from `POST /console/socket-pass`."""

    socket_pass: Token


class Open(Frame, frozen=True):
    """Follow a conversation from these positions on; an offer to this operator is accepted by it."""

    conversation: Id
    last_seen: Seq = 0
    last_note: Seq = 0


class Close(Frame, frozen=True):
    """No longer looking at it."""

    conversation: Id


class Note(Frame, frozen=True):
    ref: Ref
    text: Text
    conversation: Id


class Accept(Frame, frozen=True):
    conversation: Id
    ref: Ref | None = None


class Decline(Frame, frozen=True):
    conversation: Id
    ref: Ref | None = None


class Take(Frame, frozen=True):
    """Take this conversation, or without one the oldest that waits. The answer `done` names it."""

    ref: Ref
    conversation: Id | None = None


class Transfer(Frame, frozen=True):
    """To an operator or to a department; the note is required."""

    ref: Ref
    conversation: Id
    note: Text
    operator: Id | None = None
    department: Annotated[str, Meta(max_length=40)] | None = None


class Appear(Frame, frozen=True):
    """online or away"""

    status: Annotated[str, Meta(pattern="^(online|away)$")]


class Keep(Frame, frozen=True):
    """Keeps a draft on the server; empty text forgets it."""

    conversation: Id
    mode: Annotated[str, Meta(pattern="^(reply|note)$")]
    text: Text = ""


OperatorFrame = (
    Attend
    | Open
    | Close
    | Say
    | Note
    | Type
    | Read
    | Fetch
    | Accept
    | Decline
    | Take
    | Transfer
    | End
    | Appear
    | Keep
    | Beat
)

# ── to both ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Said(Frame, frozen=True):
    """New entries of the public stream, in order. The sender's own copy carries `ref`: that is the acknowledgement."""

    conversation: str
    entries: list[Entry]


class Paged(Frame, frozen=True):
    """A page of entries. `reset`: forget what you have, this replaces all. `more`: ask again with `fetch`.
    `earlier`: there is older history, ask with `fetch before`."""

    conversation: str
    stream: str
    entries: list[Entry]
    more: bool = False
    reset: bool = False
    earlier: bool = False
    back: bool = False
    """This page answers `fetch before`: put it in front."""


class Typed(Frame, frozen=True):
    conversation: str
    typing: bool
    by: Person


class Seen(Frame, frozen=True):
    """A read mark: everything up to `seq` was seen by the other side."""

    conversation: str
    by: str
    """visitor or operator"""
    seq: int


class Refused(Frame, frozen=True):
    """Answers one request; the socket lives. `message` is for people, in the reader's language."""

    code: str
    message: str
    ref: str = ""
    conversation: str = ""
    retry: bool = False
    retry_after: float = 0
    """Seconds, where waiting helps."""


class Retired(Frame, frozen=True):
    """This server leaves: open a new socket after so many seconds, resume, then leave this one."""

    after: float


class Polled(Frame, frozen=True):
    """Last line of a long poll's answer. The next poll says `state` again: it is answered at once when things stand
    otherwise by then."""

    state: str


class Closed(Frame, frozen=True):
    """Last line of a long poll's answer where a socket would have been closed with this code."""

    code: int


# ── to a visitor ─────────────────────────────────────────────────────────────────────────────────────────────────


class Welcomed(Frame, frozen=True):
    known: bool
    """The token was accepted. False with a token sent: forget it."""
    staff: Staff
    conversation: ConversationState | None = None
    name: str = ""
    email: str = ""


class Enrolled(Frame, frozen=True):
    token: str


class Started(Frame, frozen=True):
    """The conversation that `start` or `leave` began (or had begun before)."""

    ref: str
    conversation: ConversationState


class Queued(Frame, frozen=True):
    """Place in the line, 1 is next. `wait_seconds` is absent where no honest estimate exists."""

    conversation: str
    position: int
    wait_seconds: float | None = None


class Staffed(Frame, frozen=True):
    staff: Staff


# ── to an operator ───────────────────────────────────────────────────────────────────────────────────────────────


class Attended(Frame, frozen=True):
    operator: Person
    status: str
    offer_seconds: float = 30


class Noted(Frame, frozen=True):
    """New entries of the operators' stream."""

    conversation: str
    entries: list[Entry]


class Listed(Frame, frozen=True):
    """A conversation's row in the inbox, new or changed."""

    conversation: str
    state: str
    html: str
    operator: str = ""
    """Id of who has it or to whom it is offered."""
    waiting_since: str = ""
    at: str = ""
    """When something was last said: the order of "their turn"."""
    priority: int = 1
    version: int = 0
    """Of two rows of one conversation the higher counts."""
    unread: int = 0


class Offered(Frame, frozen=True):
    """Yours for so many seconds; then it goes to the next."""

    conversation: str
    seconds: float
    html: str


class Withdrawn(Frame, frozen=True):
    """The offer is over: accepted (elsewhere), missed, declined, taken by a colleague, transferred, ended, vanished. Or
    `moved`: an open conversation went where this operator may not see it, and nothing more of it comes."""

    conversation: str
    because: str


class Viewed(Frame, frozen=True):
    """Which colleagues look at this conversation."""

    conversation: str
    operators: list[Person]


class Counted(Frame, frozen=True):
    """Figures of the status strip."""

    waiting: int
    online: int
    oldest_since: str = ""
    mine: int = 0


class Done(Frame, frozen=True):
    """A command with a `ref` was carried out."""

    ref: str
    conversation: str = ""


class Appeared(Frame, frozen=True):
    """Your own status, as it now is; `because` says why it changed by itself: missed-offers, elsewhere."""

    status: str
    because: str = ""


class Nudged(Frame, frozen=True):
    """Something outside the streams changed, and pages that show it should look again (`topic`: tickets …)."""

    topic: str
    id: str = ""


ToVisitor = (
    Welcomed
    | Enrolled
    | Started
    | Said
    | Paged
    | Typed
    | Seen
    | Queued
    | Staffed
    | Refused
    | Retired
    | Beat
    | Polled
    | Closed
)
ToOperator = (
    Attended
    | Said
    | Noted
    | Paged
    | Typed
    | Seen
    | Listed
    | Offered
    | Withdrawn
    | Viewed
    | Counted
    | Done
    | Appeared
    | Nudged
    | Refused
    | Retired
    | Beat
    | Polled
    | Closed
)

_encoder = msgspec.json.Encoder()
visitor_decoder: msgspec.json.Decoder[VisitorFrame] = msgspec.json.Decoder(VisitorFrame)
operator_decoder: msgspec.json.Decoder[OperatorFrame] = msgspec.json.Decoder(OperatorFrame)


def encode(frame: Frame) -> str:
    """The frame as the text of one WebSocket message. About 0.3 µs."""
    return _encoder.encode(frame).decode()


def size_of(entry: Entry) -> int:
    """How many bytes of a frame it takes."""
    return len(_encoder.encode(entry))
