"""Tables of the company's records. The keys `account_no`, `ref` and `service_ref` are the company's own."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class Account(Row, table=True):
    """One contract partner of the company. Rows are never deleted: what a full import lacks becomes inactive."""

    __tablename__ = "account"
    id: UUID = Field(primary_key=True)
    account_no: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=200)
    language: str = Field(default="en", max_length=8)
    zone: str = Field(default="", max_length=64)
    """Empty: the company's."""
    tags: list[str] = Field(sa_column=Column(JSON, nullable=False))
    active: bool = True


class Customer(Row, table=True):
    """A person of an account."""

    __tablename__ = "customer"
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    ref: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=120)
    can_see_tickets: bool = False
    can_see_billing: bool = False
    active: bool = True


class EmailAddress(Row, table=True):
    """An address of a customer, or one that only gets notifications (`customer_id` is none then).

    `registered`: it is the one the company has on record for its customer. `verified_at`: an import said so or the
    owner used a link; `verified_by` says which. A verified address belongs to one account only.
    """

    __tablename__ = "email_address"
    __table_args__ = (
        Index(
            "uq_email_address_verified",
            "address",
            unique=True,
            sqlite_where=text("verified_at IS NOT NULL"),
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID | None = Field(default=None, foreign_key="account.id", index=True)
    customer_id: UUID | None = Field(default=None, foreign_key="customer.id", index=True)
    address: str = Field(max_length=254, index=True)
    """Normalised, in lower case."""
    raw: str = Field(max_length=254)
    registered: bool = False
    verified_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    verified_by: str = Field(default="", max_length=10)  # import, link
    suppressed_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reason: str = Field(default="", max_length=200)
    """Of the suppression."""


class NotificationAddress(Row, table=True):
    """Where notifications of one kind go."""

    __tablename__ = "notification_address"
    __table_args__ = (UniqueConstraint("account_id", "kind", "email_id"),)
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    kind: str = Field(max_length=10)  # billing, support, abuse, service
    email_id: UUID = Field(foreign_key="email_address.id", index=True)
    language: str = Field(default="", max_length=8)
    """Empty: the account's."""
    digest: bool = False
    active: bool = True


class EmailProof(Row, table=True):
    """A link that confirms an address, good once. The id stands in the link beside our signature."""

    __tablename__ = "email_proof"
    id: UUID = Field(primary_key=True)
    email_id: UUID = Field(foreign_key="email_address.id", index=True)
    locale: str = Field(default="", max_length=8)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)


class Service(Row, table=True):
    """What an account has bought, under the name that its client area shows."""

    __tablename__ = "service"
    __table_args__ = (Index("ix_service_account_id_name_key", "account_id", "name_key"),)
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    service_ref: str = Field(unique=True, max_length=64)
    order_no: str = Field(default="", max_length=20, index=True)
    """Digits only."""
    name: str = Field(max_length=200)
    name_key: str = Field(max_length=400)
    """The name without case and diacritics."""
    kind: str = Field(default="", max_length=40)
    location: str = Field(default="", max_length=80)
    product: str = Field(default="", max_length=120)
    tags: list[str] = Field(sa_column=Column(JSON, nullable=False))
    active: bool = True


class ServiceIp(Row, table=True):
    """A range of addresses, both ends included, as 16 bytes big-endian: bytes compare alike on both databases.

    `width` is its class of size; see `ranges` for how an index finds the ranges around an address.
    """

    __tablename__ = "service_ip"
    __table_args__ = (Index("ix_service_ip_range", "version", "width", "ip_from", "ip_to"),)
    service_id: UUID = Field(primary_key=True, foreign_key="service.id")
    ip_from: bytes = Field(sa_column=Column(LargeBinary(16), primary_key=True))
    ip_to: bytes = Field(sa_column=Column(LargeBinary(16), primary_key=True))
    version: int
    width: int
