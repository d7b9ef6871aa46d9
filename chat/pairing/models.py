"""Tables of pairing: living processes, who is present where, and who has had which conversation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class Process(Row, table=True):
    """A running server's lease; its id is the epoch. It raises `beat`; others time with their own stopwatch how long
    it stood still."""

    __tablename__ = "process"
    id: UUID = Field(primary_key=True)
    beat: int = 0
    started_at: datetime = Field(sa_type=UTCDateTime)


class Presence(Row, table=True):
    """An operator's open consoles in one process."""

    __tablename__ = "presence"
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    process_id: UUID = Field(primary_key=True, foreign_key="process.id", index=True)
    sockets: int = 0


class Assignment(Row, table=True):
    """Operator and conversation, with start and end: a record, not a flag.

    `ended_because`: declined, missed, vanished, transferred, ended, taken, off-duty, handed-over.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        Index("ix_assignment_conversation_id_operator_id", "conversation_id", "operator_id"),
        Index("ix_assignment_state_operator_id", "state", "operator_id"),
    )
    id: UUID = Field(primary_key=True)
    conversation_id: UUID = Field(foreign_key="conversation.id")
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    state: str = Field(max_length=10)  # offered, accepted, ended
    reason: str = Field(default="", max_length=200)
    """Why, as reasons.py writes it."""
    offered_at: datetime = Field(sa_type=UTCDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ended_because: str = Field(default="", max_length=20)
