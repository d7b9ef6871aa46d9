"""Tables of people and of what they belong to: sites, departments, operators, visitors, login sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class Site(Row, table=True):
    """A web site that embeds the widget. `key` is a public name: it opens nothing."""

    __tablename__ = "site"
    id: UUID = Field(primary_key=True)
    key: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=120)
    origins: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Exact origins (`https://www.acme.si`) that may show the widget."""
    locale: str = Field(default="en", max_length=8)
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """accent, logo_text, privacy_url, suggestions [{question: {en, sl}, answer: {en, sl}}] …"""
    created_at: datetime = Field(sa_type=UTCDateTime)


class Department(Row, table=True):
    __tablename__ = "department"
    id: UUID = Field(primary_key=True)
    slug: str = Field(unique=True, max_length=40)
    names: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    """Locale -> name, as people read it."""
    position: int = 0


CANARY = "canary"
"""Role of the synthetic operator: in no list, in no count, sees nothing but its own conversation."""


SUPERVISING = ("supervisor", "administrator")
"""Roles that see all conversations."""


class Operator(Row, table=True):
    """A person who answers. `load` counts offers and assignments and is changed only with them,
    `present` mirrors the presence rows: both stand here so that one conditional UPDATE can judge."""

    __tablename__ = "operator"
    id: UUID = Field(primary_key=True)
    email: str = Field(unique=True, max_length=254)
    name: str = Field(max_length=120)
    password: str | None = Field(default=None, max_length=255)
    role: str = Field(default="operator", max_length=20)  # operator, supervisor, administrator
    locale: str = Field(default="en", max_length=8)
    capacity: int = 5
    status: str = Field(default="online", max_length=10)  # chosen by the person: online, away
    present: bool = False
    unheard: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    """Seconds that nobody had heard of them when `present` fell. A duration, so that every process can add it to its
    own stopwatch and no times of day are compared."""
    load: int = 0
    ticket_capacity: int = Field(default=20, sa_column_kwargs={"server_default": "20"})
    """Open tickets at the same time that others may give them."""
    duty_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    duty_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """The span, the present or the next, in which they may be offered things; both None: at any time."""
    off_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When they went off duty: what they had then is handed over, what they took later by hand is theirs."""
    assigned_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    active: bool = True
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UTCDateTime)


class OperatorDepartment(Row, table=True):
    __tablename__ = "operator_department"
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    department_id: UUID = Field(primary_key=True, foreign_key="department.id", index=True)


class LoginSession(Row, table=True):
    """An operator's sign-in. The cookie holds the secret, the row its hash."""

    __tablename__ = "login_session"
    id: UUID = Field(primary_key=True)
    secret_hash: str = Field(unique=True, max_length=64)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class OneTimeSecret(Row, table=True):
    """A link or pass that works once: `sign-in` (link, 15 min) or `socket` (pass, 30 s)."""

    __tablename__ = "one_time_secret"
    secret_hash: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(max_length=20)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    login_session_id: UUID | None = Field(default=None, foreign_key="login_session.id")
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Visitor(Row, table=True):
    """A person on a site. The token lives in the frame's storage, the row keeps its hash: who reads
    the table is nobody's visitor."""

    __tablename__ = "visitor"
    id: UUID = Field(primary_key=True)
    site_id: UUID = Field(foreign_key="site.id", index=True)
    token_hash: str = Field(unique=True, max_length=64)
    name: str | None = Field(default=None, max_length=120)
    email: str | None = Field(default=None, max_length=254)
    """A typed address: a label for replies, never an identity, since anybody types any."""
    locale: str = Field(default="en", max_length=8)
    time_zone: str | None = Field(default=None, max_length=64)
    browser: str | None = Field(default=None, max_length=120)
    pages: list[dict[str, str]] = Field(sa_column=Column(JSON, nullable=False))
    """The last pages seen, newest last: url, title, at."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    """Since when the token is worth nothing."""
