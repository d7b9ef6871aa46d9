"""Rows of the inbox: what one line says of a conversation, read in two queries whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import PUBLIC, Conversation, Message
from chat.db import table_of
from chat.people.models import Department, Operator, OperatorDepartment, Visitor

OPEN = ("waiting", "offered", "active")
RECENTLY_ENDED = 15


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
    """Messages of the visitor that no operator has read."""
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
    found = {row.id: row for row in await _rows(session, col(Conversation.id).in_(ids), limit=len(ids))}
    return [found[wanted] for wanted in ids if wanted in found]


async def row_of(session: AsyncSession, conversation_id: UUID) -> ConversationRow | None:
    return next(iter(await rows_of(session, [conversation_id])), None)


async def inbox_rows(session: AsyncSession, operator: Operator, limit: int = 200) -> list[ConversationRow]:
    """What is open, high priority first, then who waits longest; then what ended lately.

    Operators see their departments and what is theirs, supervisors all. Their own come first when there are more than
    `limit`.
    """
    rows = table_of(Conversation)
    visible = visible_to(operator)
    open_ones = await _rows(
        session,
        and_(visible, col(Conversation.state).in_(OPEN)),
        order=[
            rows.c.operator_id.is_distinct_from(operator.id),
            rows.c.priority,
            rows.c.waiting_since.is_(None),
            rows.c.waiting_since,
            rows.c.last_message_at.desc(),
        ],
        limit=limit,
    )
    ended = await _rows(
        session,
        and_(visible, col(Conversation.state).in_(("ended", "left")), col(Conversation.last_message_text) != ""),
        order=[rows.c.last_message_at.desc()],
        limit=RECENTLY_ENDED,
    )
    return sorted(open_ones, key=_service_order) + ended


def visible_to(operator: Operator) -> ColumnElement[bool]:
    """Which conversations this operator may see; the same rule as on the socket (security.md W4)."""
    if operator.role != "operator":
        return true()
    members = table_of(OperatorDepartment)
    mine = select(members.c.department_id).where(members.c.operator_id == operator.id)
    return or_(col(Conversation.department_id).in_(mine), col(Conversation.operator_id) == operator.id)


def _service_order(row: ConversationRow) -> tuple[Any, ...]:
    if row.waiting_since is not None:
        return (0, row.priority, row.waiting_since.timestamp())
    return (1, 0, -row.last_message_at.timestamp())


async def _rows(
    session: AsyncSession, condition: ColumnElement[bool], *, order: Sequence[Any] = (), limit: int
) -> list[ConversationRow]:
    conversations, messages = table_of(Conversation), table_of(Message)
    unread = (
        select(func.count())
        .where(
            messages.c.conversation_id == conversations.c.id,
            messages.c.stream == PUBLIC,
            messages.c.seq > conversations.c.operator_read_seq,
            messages.c.kind == "message",
            messages.c.author_kind == "visitor",
        )
        .correlate(conversations)
        .scalar_subquery()
    )
    statement = (
        select(Conversation, col(Visitor.name), col(Department.names), col(Operator.name), unread)
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .join(Department, col(Department.id) == col(Conversation.department_id))
        .outerjoin(Operator, col(Operator.id) == col(Conversation.operator_id))
        .where(condition)
        .order_by(*order)
        .limit(limit)
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
