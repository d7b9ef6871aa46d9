"""Rows of the inbox: what one line says of a conversation, read in one query whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import CANARY, PUBLIC, Conversation, Message
from chat.db import table_of
from chat.people.models import SUPERVISING, Department, Operator, OperatorDepartment, Visitor

OPEN = ("waiting", "offered", "active")
MANY_UNREAD = 100
"""More are not counted."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """Says nothing of who reads it: rendered once per language, for all operators."""

    id: UUID
    visitor_id: UUID
    visitor_name: str
    """Empty where the visitor gave none."""
    locale: str
    department_id: UUID
    departments: dict[str, str]
    """Locale -> name of the department."""
    state: str
    operator_id: UUID | None
    operator_name: str
    waiting_since: datetime | None
    last_message_text: str
    last_message_by: str
    """visitor, operator, or empty"""
    last_message_at: datetime
    priority: int
    unread: int
    """Messages of the visitor that no operator has read, at most a hundred."""
    page_path: str
    version: int

    def department(self, locale: str) -> str:
        return self.departments.get(locale) or next(iter(self.departments.values()), "")


def group_of(row: ConversationRow, operator_id: UUID) -> str:
    """our, their, colleagues or ended: where this operator finds it. `inbox.js` decides the same for live rows."""
    if row.state not in OPEN:
        return "ended"
    if row.state == "active" and row.operator_id != operator_id:
        return "colleagues"
    return "our" if row.waiting_since is not None else "their"


async def rows_of(session: AsyncSession, ids: Sequence[UUID]) -> list[ConversationRow]:
    """In the order asked for; unknown ids are left out."""
    if not ids:
        return []
    found = {row.id: row for row in await _rows(session, ids)}
    return [found[wanted] for wanted in ids if wanted in found]


async def row_of(session: AsyncSession, conversation_id: UUID) -> ConversationRow | None:
    return next(iter(await rows_of(session, [conversation_id])), None)


def visible_to(operator: Operator) -> ColumnElement[bool]:
    """Which conversations this operator may see; the same rule as on the socket."""
    is_real = col(Conversation.state) != CANARY
    if operator.role in SUPERVISING:
        return is_real
    members = table_of(OperatorDepartment)
    mine = select(members.c.department_id).where(members.c.operator_id == operator.id)
    return and_(is_real, or_(col(Conversation.department_id).in_(mine), col(Conversation.operator_id) == operator.id))


def service_order(row: ConversationRow) -> tuple[Any, ...]:
    if row.waiting_since is not None:
        return (0, row.priority, row.waiting_since.timestamp())
    return (1, 0, -row.last_message_at.timestamp())


async def _rows(session: AsyncSession, ids: Sequence[UUID]) -> list[ConversationRow]:
    conversations, messages = table_of(Conversation), table_of(Message)
    new = (
        select(messages.c.seq)
        .where(
            messages.c.conversation_id == conversations.c.id,
            messages.c.stream == PUBLIC,
            messages.c.seq > conversations.c.operator_read_seq,
            messages.c.kind == "message",
            messages.c.author_kind == "visitor",
        )
        .correlate(conversations)
        .limit(MANY_UNREAD)
        .subquery()
    )
    unread = select(func.count()).select_from(new).scalar_subquery()
    statement = (
        select(Conversation, col(Visitor.name), col(Department.names), col(Operator.name), unread)
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .join(Department, col(Department.id) == col(Conversation.department_id))
        .outerjoin(Operator, col(Operator.id) == col(Conversation.operator_id))
        .where(col(Conversation.id).in_(ids), col(Conversation.state) != CANARY)
    )
    found = await session.execute(statement)
    return [_row(*columns) for columns in found]


def _row(
    conversation: Conversation, visitor_name: str | None, departments: dict[str, str], operator: str | None, unread: int
) -> ConversationRow:
    return ConversationRow(
        id=conversation.id,
        visitor_id=conversation.visitor_id,
        visitor_name=(visitor_name or "").strip(),
        locale=conversation.locale,
        department_id=conversation.department_id,
        departments=departments,
        state=conversation.state,
        operator_id=conversation.operator_id,
        operator_name=operator or "",
        waiting_since=conversation.waiting_since,
        last_message_text=conversation.last_message_text,
        last_message_by=conversation.last_message_by,
        last_message_at=conversation.last_message_at or conversation.created_at,
        priority=conversation.priority,
        unread=unread,
        page_path=path_of(conversation.page.get("url", "")),
        version=conversation.version,
    )


def path_of(url: str) -> str:
    """What operators read of an address: path and query, without the host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.path or ("/" if parts.netloc else "")) + (f"?{parts.query}" if parts.query else "")
