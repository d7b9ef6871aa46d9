"""Who said something when in a conversation: enough to tell whose turn it is, without the words."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import PUBLIC, Message
from chat.db import table_of

LAST = 200
"""Turns are told by the newest entries."""


class Said(NamedTuple):
    kind: str
    """message, event or card"""
    by: str
    """visitor, operator (a person) or system"""
    at: datetime
    event: str


async def said_in(session: AsyncSession, conversation_id: UUID) -> list[Said]:
    """The newest public entries, oldest first."""
    rows = table_of(Message)
    found = await session.execute(
        select(rows.c.kind, rows.c.author_kind, rows.c.author_id, rows.c.at, rows.c.data)
        .where(rows.c.conversation_id == conversation_id, rows.c.stream == PUBLIC)
        .order_by(rows.c.seq.desc())
        .limit(LAST)
    )
    said = [
        Said(row.kind, "system" if row.author_kind == "operator" and row.author_id is None else row.author_kind,
             row.at, str(row.data.get("event", "")))
        for row in found
    ]  # fmt: skip
    return said[::-1]
