"""The readable account of a conversation, for whoever must carry it elsewhere. Notes stand apart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations import store
from chat.conversations.entry import StoredEntry
from chat.conversations.models import INTERNAL, PUBLIC, Conversation
from chat.people.models import Department, Site, Visitor


@dataclass(frozen=True, slots=True)
class TranscriptMessage:
    seq: int
    at: datetime
    author_kind: str
    author_id: UUID | None
    author_name: str
    text: str
    ref: str | None = None
    files: tuple[dict[str, Any], ...] = ()
    """What goes along with it: id, name, type, size, and of images width and height."""


@dataclass(frozen=True, slots=True)
class TranscriptVisitor:
    name: str | None
    email: str | None
    """Typed by the visitor: a label, never an identity."""
    locale: str
    time_zone: str | None
    browser: str | None
    page_url: str
    pages: tuple[str, ...]
    verify_level: int = 0
    """How far the e-mail is proven to be the visitor's; 0 until a site signs who its visitors are."""


@dataclass(frozen=True, slots=True)
class Transcript:
    conversation_id: UUID
    site_name: str
    department: str
    department_id: UUID
    locale: str
    visitor: TranscriptVisitor
    messages: tuple[TranscriptMessage, ...]
    notes: tuple[TranscriptMessage, ...]
    waiting_since: datetime | None
    started_at: datetime
    upto_seq: int


async def transcript_of(session: AsyncSession, conversation_id: UUID) -> Transcript | None:
    """All of it, in the caller's transaction; None where there is no such conversation."""
    rows = await session.execute(
        select(Conversation, Visitor, Site, Department)
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .join(Site, col(Site.id) == col(Conversation.site_id))
        .join(Department, col(Department.id) == col(Conversation.department_id))
        .where(col(Conversation.id) == conversation_id)
        .execution_options(populate_existing=True)
    )
    row = rows.first()
    if row is None:
        return None
    found, visitor, site, department = row
    # Numbers have no holes: so many are all up to the heads, and none that was said while we read.
    public, internal = [
        await store.entries_after(session, conversation_id, stream, 0, head) if head else []
        for stream, head in ((PUBLIC, found.last_seq), (INTERNAL, found.last_note_seq))
    ]
    return Transcript(
        conversation_id=conversation_id,
        site_name=site.name,
        department=department.slug,
        department_id=department.id,
        locale=found.locale,
        visitor=TranscriptVisitor(
            name=visitor.name,
            email=visitor.email,
            locale=visitor.locale,
            time_zone=visitor.time_zone,
            browser=visitor.browser,
            page_url=found.page.get("url", ""),
            pages=tuple(page.get("url", "") for page in visitor.pages),
        ),
        messages=tuple(_message(entry) for entry in public if entry.kind == "message"),
        notes=tuple(_message(entry) for entry in internal if entry.kind == "note"),
        waiting_since=found.waiting_since,
        started_at=found.created_at,
        upto_seq=found.last_seq,
    )


def _message(entry: StoredEntry) -> TranscriptMessage:
    files = tuple(entry.data.get("files", ()))
    author = entry.author
    return TranscriptMessage(entry.seq, entry.at, author.kind, author.id, author.name, entry.text, entry.ref, files)
