"""Tables of the desk that live for a while only: who has a ticket open, and which orders were carried out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column
from sqlmodel import Field

from chat.db import Row, UTCDateTime


class TicketLooker(Row, table=True):
    """An operator who has the ticket open; a lease, so that who vanishes is gone soon."""

    __tablename__ = "ticket_looker"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    until: datetime = Field(sa_type=UTCDateTime)
    typing_until: datetime | None = Field(default=None, sa_type=UTCDateTime)


class DeskRef(Row, table=True):
    """An order of an operator that is carried out once, however often it is sent; `answer` is where it led."""

    __tablename__ = "desk_ref"
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    ref: str = Field(primary_key=True, max_length=64)
    answer: str = Field(default="", max_length=200)
    undo: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    """What it takes to go back."""
    at: datetime = Field(sa_type=UTCDateTime, index=True)
