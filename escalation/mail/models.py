"""Tables of mail that goes out, and of addresses that take none."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field

from chat.db import Row, UTCDateTime

ALSO = "also"
"""Key of `MailOut.data`: ids of messages of other mails that are joined to this one."""


class MailOut(Row, table=True):
    """One mail to one address. The row is the promise that it goes out, and afterwards the record of what became of it.

    What is said in it is not here: letters about tickets read the ticket when they are made.
    """

    __tablename__ = "mail_out"
    __table_args__ = (
        UniqueConstraint("kind", "cause", "recipient"),
        Index("ix_mail_out_due", "state", "next_at"),
        Index("ix_mail_out_recipient_created_at", "recipient", "created_at"),
        Index("ix_mail_out_ticket_id_recipient", "ticket_id", "recipient"),
    )
    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=20)
    cause: str = Field(max_length=120)
    """What it is about: the same cause is the same mail."""
    recipient: str = Field(max_length=254)
    name: str = Field(default="", max_length=120)
    locale: str = Field(max_length=8)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    ticket_message_id: UUID | None = Field(default=None, foreign_key="ticket_message.id")
    message_id: str | None = Field(default=None, unique=True, max_length=254)
    """Of the header; given with the first try and never changed, so that a mail sent twice is shown once."""
    state: str = Field(max_length=10)
    """waiting, sending, deferred, accepted, bounced, suppressed, failed, expired; read (in the conversation) and joined
    (to the mail before it), which are not sent."""
    attempts: int = 0
    unsure: bool = False
    """A try ended without an answer: the server may have it. It is tried once more, under the same Message-ID."""
    next_at: datetime = Field(sa_type=UTCDateTime)
    """Of `sending`: when whoever sends it has been away for too long."""
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    code: str = Field(default="", max_length=16)
    """The server's last answer: 250, or 550 5.1.1."""
    says: str = Field(default="", max_length=200)
    """Its words; of an accepted mail these name it at the server."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    changed_at: datetime = Field(sa_type=UTCDateTime)


class Suppression(Row, table=True):
    """An address that a server said does not exist. Until then it gets nothing."""

    __tablename__ = "suppression"
    address: str = Field(primary_key=True, max_length=254)
    code: str = Field(max_length=16)
    says: str = Field(max_length=200)
    until: datetime = Field(sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)
