"""Tables of the client area: how customers come in, and what was typed before they did."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, ForeignKey, Index, Uuid
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class CustomerAccess(Row, table=True):
    """What a customer has chosen for themselves. No row: nothing yet."""

    __tablename__ = "customer_access"
    customer_id: UUID = Field(primary_key=True, foreign_key="customer.id")
    password: str | None = Field(default=None, max_length=255)
    locale: str = Field(default="", max_length=8)
    """Empty: the account's."""
    time_zone: str = Field(default="", max_length=64)
    """Empty: the account's, else the company's."""


class CustomerLogin(Row, table=True):
    """A customer's sign-in, apart from those of operators. The cookie holds the secret, the row its hash."""

    __tablename__ = "customer_login"
    id: UUID = Field(primary_key=True)
    secret_hash: str = Field(unique=True, max_length=64)
    customer_id: UUID = Field(foreign_key="customer.id", index=True)
    method: str = Field(max_length=10)  # link, password, token
    browser: str = Field(default="", max_length=120)
    created_at: datetime = Field(sa_type=UTCDateTime)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class CustomerLink(Row, table=True):
    """A link that signs in once. `email_id`: the address it was mailed to; whoever uses it has proven that one."""

    __tablename__ = "customer_link"
    secret_hash: str = Field(primary_key=True, max_length=64)
    customer_id: UUID = Field(foreign_key="customer.id", index=True)
    email_id: UUID | None = Field(default=None, foreign_key="email_address.id")
    asked_id: UUID | None = Field(default=None, unique=True)
    """Of the request it answers: carried out twice, it is one link and one mail."""
    wanted: str = Field(default="", max_length=2000)
    """The path that was asked for before the sign-in."""
    kept_id: UUID | None = None
    """The form that was filled before the sign-in."""
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class KeptForm(Row, table=True):
    """A form that somebody filled who was not signed in. Whoever holds the secret in a cookie finds it again."""

    __tablename__ = "kept_form"
    __table_args__ = (Index("ix_kept_form_expires_at", "expires_at"),)
    id: UUID = Field(primary_key=True)
    secret_hash: str = Field(unique=True, max_length=64)
    path: str = Field(max_length=200)
    fields: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    expires_at: datetime = Field(sa_type=UTCDateTime)


class TicketSubmission(Row, table=True):
    """A form that was sent. Its key judges who was first, so it stands before the ticket: hence the deferred key."""

    __tablename__ = "ticket_submission"
    customer_id: UUID = Field(primary_key=True, foreign_key="customer.id")
    ref: str = Field(primary_key=True, max_length=64)
    ticket_id: UUID = Field(
        sa_column=Column(
            Uuid, ForeignKey("ticket.id", deferrable=True, initially="DEFERRED"), nullable=False, index=True
        )
    )
    digest: str = Field(max_length=64)
    """Of what was sent: sent again with other words, it is told that it was sent before."""
    at: datetime = Field(sa_type=UTCDateTime)


class TokenUse(Row, table=True):
    """A token of the company's own site that was used: once for a sign-in, or by one visitor only."""

    __tablename__ = "token_use"
    token_hash: str = Field(primary_key=True, max_length=64)
    visitor_id: UUID | None = Field(default=None, foreign_key="visitor.id")
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)


class VisitorIdentity(Row, table=True):
    """A visitor whom the company's own site has named. Their conversations from then on are that customer's: it is
    never changed, and where the site names somebody else that visitor is over."""

    __tablename__ = "visitor_identity"
    visitor_id: UUID = Field(primary_key=True, foreign_key="visitor.id")
    customer_id: UUID = Field(foreign_key="customer.id", index=True)
    named_at: datetime = Field(sa_type=UTCDateTime)
