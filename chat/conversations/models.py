"""Tables of conversations: one row each, their two streams of entries, drafts and canned responses."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field

from chat.db import Row, UTCDateTime

PUBLIC = "public"
INTERNAL = "internal"
CANARY = "canary"
"""State of the conversation that the program holds with itself: in no queue, list or count."""


class Conversation(Row, table=True):
    """From the first word to the end.

    `last_seq` and `last_note_seq` are the heads of the public and of the internal stream. They are raised under the
    row lock in the transaction that inserts the entries, so commit order = number order = shown order.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("visitor_id", "start_ref"),
        Index("ix_conversation_waiting", "state", "department_id", "priority", "waiting_since", "id"),
        Index("ix_conversation_operator_state", "operator_id", "state", "ended_at"),
        Index("ix_conversation_ended", "department_id", "ended_at"),
    )
    id: UUID = Field(primary_key=True)
    site_id: UUID = Field(foreign_key="site.id", index=True)
    visitor_id: UUID = Field(foreign_key="visitor.id", index=True)
    department_id: UUID = Field(foreign_key="department.id")
    start_ref: str = Field(max_length=64)
    state: str = Field(max_length=10)  # waiting, offered, active, left (a message left for a ticket), ended
    priority: int = 1  # 0 high, 1 normal: ascending is the order of service
    operator_id: UUID | None = Field(default=None, foreign_key="operator.id")
    locale: str = Field(default="en", max_length=8)
    last_seq: int = 0
    last_note_seq: int = 0
    visitor_read_seq: int = 0
    operator_read_seq: int = 0
    last_message_text: str = Field(default="", max_length=200)
    last_message_by: str = Field(default="", max_length=10)  # visitor, operator
    last_message_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    waiting_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the visitor began to wait for *us*: queue order, and the timer of the row. None = their turn."""
    first_reply_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    first_reply_seconds: float | None = None
    page: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    """url, title, referrer when it began."""
    rating: int | None = None
    rating_text: str | None = Field(default=None, max_length=1000)
    created_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 0


class Message(Row, table=True):
    """One entry of a stream.

    public: kind `message`, `event` (assigned, ended …) or `card`. internal: kind `note` or `event`.
    `ref` is the sender's own name for it; the unique constraint is the last judge of a resend.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation_id", "stream", "seq"),
        UniqueConstraint("conversation_id", "ref"),
    )
    id: UUID = Field(primary_key=True)
    conversation_id: UUID = Field(foreign_key="conversation.id")
    stream: str = Field(max_length=10)
    seq: int
    kind: str = Field(max_length=10)
    author_kind: str = Field(max_length=10)  # visitor, operator, system
    author_id: UUID | None = None
    author_name: str = Field(default="", max_length=120)
    text: str = ""
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    ref: str | None = Field(default=None, max_length=80)
    after_seq: int = 0
    """Of an internal entry: the public seq it follows, so that all consoles agree on one order."""
    at: datetime = Field(sa_type=UTCDateTime)


class Draft(Row, table=True):
    __tablename__ = "draft"
    conversation_id: UUID = Field(primary_key=True, foreign_key="conversation.id")
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    mode: str = Field(max_length=10)  # reply, note
    text: str = ""
    at: datetime = Field(sa_type=UTCDateTime)


class CannedResponse(Row, table=True):
    __tablename__ = "canned_response"
    id: UUID = Field(primary_key=True)
    shortcut: str = Field(unique=True, max_length=40)
    title: str = Field(max_length=120)
    texts: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    """Locale -> text with {visitor.name}, {operator.name} and the like, from a fixed list."""
