"""Tables of files: what somebody sent, the bytes behind it, and where it may be read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from chat.db import Row, UTCDateTime

RECEIVING = "receiving"
CHECKING = "checking"
READY = "ready"
REFUSED = "refused"


class FileContent(Row, table=True):
    """Bytes that are stored once, however many files have them. Its row is the lock of who adds and who tidies."""

    __tablename__ = "file_content"
    sha256: str = Field(primary_key=True, max_length=64)
    size: int
    created_at: datetime = Field(sa_type=UTCDateTime)


class File(Row, table=True):
    """One file that somebody sent, from its first byte on. `ref` is the sender's own name for it: sent again it is the
    same file."""

    __tablename__ = "file"
    __table_args__ = (
        UniqueConstraint("owner", "ref"),
        Index("ix_file_pool_created_at", "pool", "created_at"),
        Index("ix_file_owner_created_at", "owner", "created_at"),
        Index("ix_file_state_touched_at", "state", "touched_at"),
    )
    id: UUID = Field(primary_key=True)
    """Random, unlike other ids: no neighbour can be guessed."""
    owner: str = Field(max_length=60)
    """`visitor:<id>`, `operator:<id>` …: who sent it, and who alone may send it along."""
    pool: str = Field(default="", max_length=60)
    """Whose daily share of the disk it takes beside the owner's; `site:<id>` or empty."""
    ref: str = Field(max_length=64)
    name: str = Field(max_length=255)
    state: str = Field(max_length=10)  # receiving, checking, ready, refused
    refusal: str = Field(default="", max_length=20)
    turn: int = 0
    """Raised by whoever begins to check it: a check that was overtaken decides nothing."""
    size: int
    received: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Bytes that came, as far as a connection has ended or a minute is over: they count even where nothing is kept."""
    media_type: str = Field(default="", max_length=100)
    width: int = 0
    height: int = 0
    """Of an image."""
    content: str | None = Field(default=None, foreign_key="file_content.sha256", index=True, max_length=64)
    small: str | None = Field(default=None, foreign_key="file_content.sha256", index=True, max_length=64)
    """A thumbnail."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    touched_at: datetime = Field(sa_type=UTCDateTime)


class FilePlace(Row, table=True):
    """Who may read the place may read the file: `conversation:<id>`, `ticket:<id>`, `inside:ticket:<id>`."""

    __tablename__ = "file_place"
    place: str = Field(primary_key=True, max_length=60)
    file_id: UUID = Field(primary_key=True, foreign_key="file.id", index=True)
