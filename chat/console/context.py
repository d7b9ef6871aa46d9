"""What the page shows of one open conversation: its entries, and who the visitor is. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup
from msgspec import structs
from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.console.rows import ConversationRow, path_of, rows_of, visible_to
from chat.conversations import store
from chat.conversations.entry import StoredEntry
from chat.conversations.models import INTERNAL, PUBLIC, Conversation, Draft
from chat.conversations.presenter import Audience, Presenter
from chat.pairing import reasons
from chat.pairing.models import Assignment
from chat.pairing.reasons import Reason
from chat.people.models import Operator, Site, Visitor

FIRST_ENTRIES = 60


@dataclass(frozen=True, slots=True)
class PersonView:
    name: str
    email: str
    """Typed by the visitor: a label, never an identity."""
    locale: str
    browser: str
    time_zone: str
    local_time: str
    place: str


@dataclass(frozen=True, slots=True)
class PageView:
    url: str
    path: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class EarlierView:
    id: UUID
    text: str
    operator: str
    at: datetime
    rating: int | None


@dataclass(frozen=True, slots=True)
class AssignmentView:
    name: str
    at: datetime
    outcome: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class ConversationView:
    row: ConversationRow
    name: str
    site_name: str
    person: PersonView
    entries: Sequence[Markup]
    """Rendered by the partials, in the order they are read."""
    last_seq: int
    last_note: int
    earlier: bool
    visitor_read: int
    replied: bool
    draft: Draft | None
    page_title: str
    page_url: str
    referrer: str
    trail: Sequence[PageView]
    earlier_ones: Sequence[EarlierView]
    assignments: Sequence[AssignmentView]


async def conversation_view(
    session: AsyncSession,
    conversation_id: UUID,
    operator: Operator,
    presenter: Presenter,
    *,
    locale: str,
    unnamed: str,
    now: datetime,
) -> ConversationView | None:
    """None where there is no such conversation, or none that this operator may see.

    `unnamed` stands for the name of a visitor who gave none.
    """
    statement = select(Conversation).where(col(Conversation.id) == conversation_id, visible_to(operator))
    found = (await session.execute(statement)).scalars().first()
    if found is None:
        return None
    row = (await rows_of(session, [conversation_id]))[0]
    visitor = await session.get_one(Visitor, found.visitor_id)
    site = await session.get_one(Site, found.site_id)
    public = await store.entries_before(session, conversation_id, PUBLIC, found.last_seq + 1, FIRST_ENTRIES)
    internal = await store.entries_before(session, conversation_id, INTERNAL, found.last_note_seq + 1, FIRST_ENTRIES)
    audience = Audience("operator", locale)
    ordered = in_reading_order(_newest_cards(public), internal)
    return ConversationView(
        row=row,
        name=row.visitor_name or unnamed,
        site_name=site.name,
        person=_person(visitor, now),
        # The partials have escaped what people wrote.
        entries=[Markup(presenter.entry(entry, audience).html) for entry in ordered],  # noqa: S704
        last_seq=public[-1].seq if public else 0,
        last_note=internal[-1].seq if internal else 0,
        earlier=bool(public) and public[0].seq > 1,
        visitor_read=found.visitor_read_seq,
        replied=found.first_reply_at is not None,
        draft=await session.get(Draft, (conversation_id, operator.id)),
        page_title=found.page.get("title", ""),
        page_url=found.page.get("url", ""),
        referrer=_host_of(found.page.get("referrer", "")),
        trail=_trail(visitor),
        earlier_ones=await _earlier(session, found, operator),
        assignments=await _assignments(session, conversation_id),
    )


def in_reading_order(public: Sequence[StoredEntry], internal: Sequence[StoredEntry]) -> list[StoredEntry]:
    """A note stands behind the public entry that it follows: all consoles agree on one order."""
    keyed = [((entry.seq, 0, 0), entry) for entry in public]
    keyed += [((entry.after_seq, 1, entry.seq), entry) for entry in internal]
    return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]


def _newest_cards(public: Sequence[StoredEntry]) -> list[StoredEntry]:
    """A card stands where its first revision stood, with the newest content."""
    newest: dict[str, StoredEntry] = {}
    for entry in public:
        if entry.kind == "card":
            known = newest.get(entry.data["key"])
            if known is None or entry.data["revision"] > known.data["revision"]:
                newest[entry.data["key"]] = entry
    result, placed = [], set()
    for entry in public:
        if entry.kind != "card":
            result.append(entry)
        elif entry.data["key"] not in placed:
            placed.add(entry.data["key"])
            result.append(structs.replace(newest[entry.data["key"]], seq=entry.seq))
    return result


def _person(visitor: Visitor, now: datetime) -> PersonView:
    zone = visitor.time_zone or ""
    local = now.astimezone(ZoneInfo(zone)) if zone else None
    return PersonView(
        name=(visitor.name or "").strip(),
        email=visitor.email or "",
        locale=visitor.locale,
        browser=visitor.browser or "",
        time_zone=zone,
        local_time=f"{local:%H:%M}" if local else "",
        place=zone.rpartition("/")[2].replace("_", " "),
    )


def _trail(visitor: Visitor) -> list[PageView]:
    """Newest first."""
    return [
        PageView(page.get("url", ""), path_of(page.get("url", "")), _moment(page.get("at", "")))
        for page in reversed(visitor.pages)
    ]


def _moment(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None and parsed.utcoffset() is not None else None


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def _earlier(session: AsyncSession, current: Conversation, operator: Operator) -> list[EarlierView]:
    found = await session.execute(
        select(Conversation, col(Operator.name))
        .outerjoin(Operator, col(Operator.id) == col(Conversation.operator_id))
        .where(
            col(Conversation.visitor_id) == current.visitor_id,
            col(Conversation.id) != current.id,
            visible_to(operator),
        )
        .order_by(col(Conversation.created_at).desc())
        .limit(10)
    )
    return [
        EarlierView(one.id, one.last_message_text, name or "", one.last_message_at or one.created_at, one.rating)
        for one, name in found
    ]


async def _assignments(session: AsyncSession, conversation_id: UUID) -> list[AssignmentView]:
    found = await session.execute(
        select(Assignment, col(Operator.name))
        .join(Operator, col(Operator.id) == col(Assignment.operator_id))
        .where(col(Assignment.conversation_id) == conversation_id)
        .order_by(col(Assignment.offered_at))
    )
    return [
        AssignmentView(name, one.offered_at, one.ended_because or one.state, reasons.read(one.reason))
        for one, name in found
    ]
