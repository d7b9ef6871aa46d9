"""Tables of search: which word stands in which ticket or conversation, and how far that is known."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, String
from sqlmodel import Field

from chat.db import Row, UTCDateTime

TICKET, CONVERSATION = "ticket", "conversation"


class SearchWord(Row, table=True):
    """For operators only: words of notes are among them. Ids are UUIDv7, so the newest of a word are its last rows."""

    __tablename__ = "search_word"
    word: str = Field(
        sa_column=Column(String(40).with_variant(String(40, collation="C"), "postgresql"), primary_key=True)
    )
    kind: str = Field(primary_key=True, max_length=12)
    subject_id: UUID = Field(primary_key=True)


class SearchCursor(Row, table=True):
    """How far a source has been read. One worker at a time reads on, by a lease."""

    __tablename__ = "search_cursor"
    kind: str = Field(primary_key=True, max_length=12)
    upto: UUID
    """All messages before this id, and some after it, are known."""
    leased_until: datetime = Field(sa_type=UTCDateTime)
    holder: UUID
