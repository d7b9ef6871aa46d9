"""Queries of conversations. Reads only; ownership is part of the query, so that nobody can forget to ask."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, RowMapping, bindparam, func, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.entry import StoredEntry, entry_of
from chat.conversations.models import PUBLIC, Conversation, Message
from chat.db import table_of


async def conversation(session: AsyncSession, conversation_id: UUID) -> Conversation | None:
    return await session.get(Conversation, conversation_id, populate_existing=True)


async def heads_of(session: AsyncSession, conversation_id: UUID) -> tuple[int, int] | None:
    """The last numbers of the public stream and of the notes."""
    row = (await session.execute(_HEADS, {"conversation": conversation_id})).first()
    return (row.last_seq, row.last_note_seq) if row else None


async def conversation_of(session: AsyncSession, conversation_id: UUID, visitor_id: UUID) -> Conversation | None:
    """The visitor's own conversation, else None: foreign and unknown give the same answer."""
    statement = select(Conversation).where(
        col(Conversation.id) == conversation_id, col(Conversation.visitor_id) == visitor_id
    )
    return (await session.execute(statement)).scalars().first()


async def latest_of(session: AsyncSession, visitor_id: UUID) -> Conversation | None:
    statement = (
        select(Conversation)
        .where(col(Conversation.visitor_id) == visitor_id)
        .order_by(col(Conversation.created_at).desc(), col(Conversation.id).desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalars().first()


async def left_seq(session: AsyncSession, conversation_id: UUID) -> int:
    """Of the last thing that the visitor said or of their leaving it there."""
    rows = table_of(Message).c
    found = await session.execute(
        select(func.max(rows.seq)).where(
            rows.conversation_id == conversation_id,
            rows.stream == PUBLIC,
            rows.author_kind == "visitor",
            or_(rows.kind == "message", rows.data["event"].as_string() == "left"),
        )
    )
    return found.scalar_one_or_none() or 0


async def entries_after(
    session: AsyncSession, conversation_id: UUID, stream: str, after: int, limit: int
) -> list[StoredEntry]:
    """Oldest first, by the unique index: no offset, whatever the length of the conversation."""
    values = {"conversation": conversation_id, "stream": stream, "after": after, "most": limit}
    return [entry_of(row) for row in (await session.execute(_AFTER, values)).mappings()]


async def entries_before(
    session: AsyncSession, conversation_id: UUID, stream: str, before: int, limit: int
) -> list[StoredEntry]:
    """The page before `before`, oldest first."""
    rows = table_of(Message)
    found = await session.execute(
        select(rows)
        .where(rows.c.conversation_id == conversation_id, rows.c.stream == stream, rows.c.seq < before)
        .order_by(rows.c.seq.desc())
        .limit(limit)
    )
    newest_first: list[RowMapping] = list(found.mappings())
    return [entry_of(row) for row in reversed(newest_first)]


async def earlier_of(session: AsyncSession, visitor_id: UUID, before: UUID, limit: int = 10) -> Sequence[Conversation]:
    statement = (
        select(Conversation)
        .where(col(Conversation.visitor_id) == visitor_id, col(Conversation.id) != before)
        .order_by(col(Conversation.id).desc())
        .limit(limit)
    )
    return (await session.execute(statement)).scalars().all()


async def open_of(session: AsyncSession, visitor_id: UUID) -> Conversation | None:
    """The visitor's conversation that has not ended: there is at most one."""
    return (await session.execute(_OPEN, {"visitor": visitor_id})).scalars().first()


async def reply_seconds(session: AsyncSession, now: datetime, days: int = 30, limit: int = 2000) -> list[float]:
    """Times to the first message by a human operator, ascending, newest `limit` of the last days."""
    rows = table_of(Conversation)
    found = await session.execute(
        select(rows.c.first_reply_seconds)
        .where(rows.c.first_reply_at >= now - timedelta(days=days))
        .order_by(rows.c.first_reply_at.desc())
        .limit(limit)
    )
    values: list[Any] = list(found.scalars())
    return sorted(float(value) for value in values if value is not None)


# To build one costs as much as to execute it.
_conversations, _messages = table_of(Conversation), table_of(Message)
_HEADS = select(_conversations.c.last_seq, _conversations.c.last_note_seq).where(
    _conversations.c.id == bindparam("conversation")
)
_AFTER = (
    select(_messages)
    .where(
        _messages.c.conversation_id == bindparam("conversation"),
        _messages.c.stream == bindparam("stream"),
        _messages.c.seq > bindparam("after"),
    )
    .order_by(_messages.c.seq)
    .limit(bindparam("most", type_=Integer()))
)
_OPEN = (
    select(Conversation)
    .where(
        col(Conversation.visitor_id) == bindparam("visitor"),
        or_(
            col(Conversation.state) == "waiting",
            col(Conversation.state) == "offered",
            col(Conversation.state) == "active",
        ),
    )
    .order_by(col(Conversation.id).desc())
    .limit(1)
)
