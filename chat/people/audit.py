"""What administrators and overrides changed: append-only, in the transaction of the change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import Row, UTCDateTime
from chat.ids import new_id
from chat.people.models import Operator


class AuditEntry(Row, table=True):
    """`action` is a noun and a verb in the past tense (`site.changed`), `about` the thing as people know it."""

    __tablename__ = "audit"
    id: UUID = Field(primary_key=True)
    action: str = Field(max_length=40)
    subject_id: UUID | None = Field(default=None, index=True)
    about: str = Field(default="", max_length=200)
    actor_id: UUID | None = Field(default=None, foreign_key="operator.id")
    actor_name: str = Field(default="", max_length=120)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """What changed: field -> [before, after]. Never a secret, never the text of a message."""
    at: datetime = Field(sa_type=UTCDateTime, index=True)


def audit(
    session: AsyncSession,
    action: str,
    by: Operator | None,
    now: datetime,
    *,
    subject: UUID | None = None,
    about: str = "",
    changes: Mapping[str, Any] | None = None,
) -> None:
    """In the caller's transaction. Without an operator the program itself, or who sits at its command line."""
    session.add(
        AuditEntry(
            id=new_id(),
            action=action,
            subject_id=subject,
            about=about[:200],
            actor_id=by.id if by else None,
            actor_name=by.name if by else "",
            data=dict(changes or {}),
            at=now,
        )
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field -> [before, after] of what is not the same."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
