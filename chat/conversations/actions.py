"""The one place that writes conversations: a transaction, then events after the commit."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations import store, transcript
from chat.conversations.cards import CardDraft
from chat.conversations.entry import Author, EntryDraft, StoredEntry, entry_of, event
from chat.conversations.file_readers import place_of
from chat.conversations.journal import Journal
from chat.conversations.marks import ReadMarks, Side
from chat.conversations.models import INTERNAL, PUBLIC, Conversation, Draft, Message
from chat.conversations.presenter import Presenter
from chat.conversations.saying import NO_DATA, preview_of
from chat.conversations.streams import append
from chat.db import Database, rows_changed, table_of
from chat.files.attachments import Attached, claim_files, put_files_along
from chat.hub.bell import Bell
from chat.hub.feed import FeedKey
from chat.hub.hub import Hub, conversation_topic
from chat.ids import new_id, text_of
from chat.outbox import Outbox, OutboxDraft
from chat.people.models import Department, Visitor
from chat.people.visitors import SomeVisitor, label
from chat.protocol.errors import AddressInvalid, RefTaken, TextMissing, UnknownConversation
from chat.protocol.frames import Page

DESK = "desk"
"""Topic of all consoles: rows, counts, nudges."""
ROWS_SECONDS = 0.03
"""Rows of the inbox that change within this time are told of together …"""
ROWS_AT_ONCE = 90
"""… so many of them in one hint of 4 kB."""
PAIRING = "pairing"
"""Topic of all dispatchers: somebody began to wait, or became free."""
LEFT = "conversation.left"
SAID = "said"
"""Ring of the bell: new entries of conversations."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a conversation begins with."""

    ref: str
    text: str
    name: str = ""
    email: str = ""
    department: str = ""
    page: Page | None = None
    files: Sequence[str] = ()
    """Ids of uploads of the visitor that are ready."""


class Conversations:
    def __init__(self, db: Database, clock: Clock, hub: Hub, outbox: Outbox, presenter: Presenter, bell: Bell) -> None:
        self._db = db
        self._clock = clock
        self._hub = hub
        self._outbox = outbox
        self.presenter = presenter
        self.bell = bell
        self._with_words: list[Callable[[UUID, str], OutboxDraft | None]] = []
        self._changed_rows: set[UUID] = set()
        self.journal = Journal(db, clock, self._committed, self._said_again, self._owed, outbox.wake)
        self.marks = ReadMarks(db, self._mark_raised)

    def on_said(self, heard: Callable[[Sequence[UUID]], None]) -> None:
        """`heard(conversations)` after new public entries were committed in this process, and in others while the bell
        is followed here."""
        self.bell.on(SAID, heard)

    def with_words(self, owed: Callable[[UUID, str], OutboxDraft | None]) -> None:
        """Asked of what a visitor says, in the transaction that stores it and in any thread: what is owed for it then,
        whoever dies. Pure and quick."""
        self._with_words.append(owed)

    # ── by visitors ──────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, visitor: SomeVisitor, opening: Opening) -> Conversation:
        """The conversation that this opening began, now or earlier: `ref` is the start key. While another one of the
        visitor is open the words are said there: a person has one conversation at a time."""
        if not opening.text.strip() and not opening.files:
            raise TextMissing
        found = await self.begun(visitor, opening.ref)
        if found is None:
            try:
                return await self._begin(visitor, opening, leave=False)
            except IntegrityError:
                found = await self.begun(visitor, opening.ref)  # the same start came over two sockets
        if found is None:
            raise UnknownConversation
        await self._say_opening(found.id, visitor, opening)
        return found

    async def leave(self, visitor: SomeVisitor, opening: Opening, conversation_id: UUID | None) -> Conversation:
        """A message with an address for later, which others make a ticket of. The typed text is part of it."""
        address = checked_address(opening.email)
        found = None
        if conversation_id is not None:
            found = await self.of_visitor(conversation_id, visitor.id)
        found = found or await self.begun(visitor, opening.ref)
        opening = replace(opening, email=address)
        has_words = bool(opening.text.strip() or opening.files)
        if found is None:
            if not has_words:
                raise TextMissing
            try:
                return await self._begin(visitor, opening, leave=True)
            except IntegrityError:
                found = await self.begun(visitor, opening.ref)
        if found is None:
            raise UnknownConversation
        if has_words and found.start_ref != opening.ref:
            await self._say_opening(found.id, visitor, opening)
        await self._left(found.id, visitor, opening)
        return found

    async def begun(self, visitor: SomeVisitor, ref: str) -> Conversation | None:
        """The conversation that this start key began, else the one that is open."""
        async with self._db.read() as session:
            found = (await session.execute(_BEGUN, {"visitor": visitor.id, "ref": ref})).scalars().first()
            return found or await store.open_of(session, visitor.id)

    async def _begin(self, visitor: SomeVisitor, opening: Opening, *, leave: bool) -> Conversation:
        now = self._clock.now()
        page = opening.page or Page()
        async with self._db.write() as session:
            # Two openings of one visitor at once: the lock on the visitor's row lets the second one see the first.
            await session.execute(_LOCK_VISITOR, {"visitor": visitor.id})
            if (already := await store.open_of(session, visitor.id)) is not None and not leave:
                opened = already
                entries: list[StoredEntry] = []
            else:
                await label(session, visitor.id, name=opening.name, email=opening.email)
                author, conversation_id = _author(visitor, opening.name), new_id()
                attached = await claim_files(session, _owner(author), opening.files, place_of(conversation_id))
                data: Mapping[str, Any] = {"files": attached} if attached else NO_DATA
                opened = Conversation(
                    id=conversation_id,
                    site_id=visitor.site_id,
                    visitor_id=visitor.id,
                    department_id=await _department(session, opening.department),
                    start_ref=opening.ref,
                    state="left" if leave else "waiting",
                    locale=visitor.locale,
                    last_message_text=preview_of(opening.text, data),
                    last_message_by="visitor",
                    last_message_at=now,
                    waiting_since=None if leave else now,
                    page={"url": page.url, "title": page.title, "referrer": page.referrer},
                    created_at=now,
                    visitor_read_seq=1,
                )
                session.add(opened)
                await session.flush()
                drafts = [EntryDraft("message", author, opening.text, data, ref=opening.ref)]
                drafts.append(event("left", author) if leave else event("queued"))
                entries = await append(session, opened.id, drafts, now)
                for owed in self._owed(entries):
                    await self._outbox.add(session, *owed)
                if leave:
                    await self._owe_ticket(session, opened.id)
        if entries:
            opened.last_seq = entries[-1].seq
            self._committed(opened.id, entries, not leave)
        else:
            await self._say_opening(opened.id, visitor, opening)
        self._outbox.wake()
        return opened

    async def _say_opening(self, conversation_id: UUID, visitor: SomeVisitor, opening: Opening) -> None:
        author = _author(visitor, opening.name)
        await self.say(conversation_id, author, opening.text, opening.ref, files=opening.files)

    async def _left(self, conversation_id: UUID, visitor: SomeVisitor, opening: Opening) -> None:
        rows = table_of(Conversation)
        now = self._clock.now()
        entries: list[StoredEntry] = []
        async with self._db.write() as session:
            await label(session, visitor.id, name=opening.name, email=opening.email)
            changed = await session.execute(
                update(rows)
                .where(rows.c.id == conversation_id, rows.c.state == "waiting")
                .values(state="left", waiting_since=None)
            )
            if rows_changed(changed):
                entries = await append(session, conversation_id, [event("left", _author(visitor, opening.name))], now)
            await self._owe_ticket(session, conversation_id)
        self._committed(conversation_id, entries, False)
        self._outbox.wake()

    async def _owe_ticket(self, session: AsyncSession, conversation_id: UUID) -> None:
        """Once for each time that something was left: a resend is the same one, more words later are another."""
        seq = await store.left_seq(session, conversation_id)
        payload = {"conversation_id": str(conversation_id), "seq": seq}
        await self._outbox.add(session, LEFT, payload, f"{LEFT}:{conversation_id}:{seq}")

    async def of_visitor(self, conversation_id: UUID, visitor_id: UUID) -> Conversation:
        async with self._db.read() as session:
            found = await store.conversation_of(session, conversation_id, visitor_id)
        if found is None:
            raise UnknownConversation
        return found

    async def rate(self, conversation_id: UUID, visitor: SomeVisitor, score: int, text: str) -> None:
        rows = table_of(Conversation)
        async with self._db.write() as session:
            changed = await session.execute(
                update(rows)
                .where(rows.c.id == conversation_id, rows.c.visitor_id == visitor.id, rows.c.rating.is_(None))
                .values(rating=score, rating_text=text)
            )
            entries: list[StoredEntry] = []
            if rows_changed(changed):
                rated = [event("rated", _author(visitor), score=score)]
                entries = await append(session, conversation_id, rated, self._clock.now())
        self._committed(conversation_id, entries, False)

    # ── by both ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def say(
        self,
        conversation_id: UUID,
        author: Author,
        text: str,
        ref: str,
        *,
        reopens: bool = True,
        files: Sequence[str] = (),
        along: Sequence[Attached] = (),
    ) -> StoredEntry:
        """The committed message, whether this call or an earlier one with the same `ref` made it. `files`: ids of the
        author's uploads, `along`: what came with it in another place."""
        attached = await self._attached(conversation_id, author, files, along)
        return await self.say_soon(conversation_id, author, text, ref, reopens=reopens, attached=attached)

    def say_soon(
        self,
        conversation_id: UUID,
        author: Author,
        text: str,
        ref: str,
        *,
        reopens: bool = True,
        attached: Sequence[Attached] = (),
    ) -> asyncio.Future[StoredEntry]:
        """As `say`, for who has no task to wait in."""
        if not text.strip() and not attached:
            raise TextMissing
        data: Mapping[str, Any] = {"files": list(attached)} if attached else NO_DATA
        return self.journal.say_soon(conversation_id, author, text, ref, reopens=reopens, data=data)

    async def _attached(
        self, conversation_id: UUID, author: Author, files: Sequence[str], along: Sequence[Attached]
    ) -> list[Attached]:
        """Before the message itself: whoever resends it finds the same files, and unsaid they are nobody else's."""
        if not files and not along:
            return []
        place = place_of(conversation_id)
        async with self._db.write() as session:
            await put_files_along(session, along, place)
            return [*(await claim_files(session, _owner(author), files, place)), *along]

    async def say_if_held(
        self, conversation_id: UUID, author: Author, text: str, ref: str, files: Sequence[str] = ()
    ) -> StoredEntry:
        """By the operator who has the conversation, as the transaction itself finds: nothing is asked before. Raises
        NotHeld."""
        attached = await self._attached(conversation_id, author, files, ())
        if not text.strip() and not attached:
            raise TextMissing
        data: Mapping[str, Any] = {"files": attached} if attached else NO_DATA
        return await self.journal.say(conversation_id, author, text, ref, held_by=author.id, data=data)

    async def say_as_operator(
        self,
        conversation_id: UUID,
        operator_id: UUID,
        name: str,
        text: str,
        ref: str,
        along: Sequence[Attached] = (),
    ) -> StoredEntry:
        return await self.say(conversation_id, Author("operator", operator_id, name), text, ref, along=along)

    async def say_as_visitor(
        self, conversation_id: UUID, text: str, ref: str, along: Sequence[Attached] = ()
    ) -> StoredEntry:
        """In the visitor's name, from another window of theirs (the ticket page). A conversation that has ended stays
        so: its ticket is where the answer is given."""
        async with self._db.read() as session:
            found = await session.get(Conversation, conversation_id)
            visitor = await session.get(Visitor, found.visitor_id) if found else None
        if visitor is None:
            raise UnknownConversation
        return await self.say(conversation_id, _author(visitor), text, ref, reopens=False, along=along)

    def _mark_raised(self, conversation_id: UUID, side: Side, seq: int) -> None:
        self._hub.publish(conversation_topic(conversation_id), {"kind": "seen", "by": side, "seq": seq})
        if side == "operator":
            self.changed_row(conversation_id)

    # ── by operators ─────────────────────────────────────────────────────────────────────────────────────────────

    async def note(self, conversation_id: UUID, author: Author, text: str, ref: str) -> StoredEntry:
        if not text.strip():
            raise TextMissing
        rows = table_of(Conversation)
        async with self._db.write() as session:
            # Whoever else says something with this `ref` waits, or is seen.
            lock = select(rows.c.id).where(rows.c.id == conversation_id).with_for_update()
            if (await session.execute(lock)).first() is None:
                raise UnknownConversation
            found = await self._by_ref(session, conversation_id, ref)
            if found is not None:
                if found.author.id != author.id or found.stream != INTERNAL:
                    raise RefTaken
                return found
            drafts = [EntryDraft("note", author, text, ref=ref)]
            entries = await append(session, conversation_id, drafts, self._clock.now(), stream=INTERNAL)
        self.entered(conversation_id, entries)
        return entries[0]

    async def _by_ref(self, session: AsyncSession, conversation_id: UUID, ref: str) -> StoredEntry | None:
        rows = table_of(Message)
        found = await session.execute(select(rows).where(rows.c.conversation_id == conversation_id, rows.c.ref == ref))
        row = found.mappings().first()
        return entry_of(row) if row else None

    async def keep_draft(self, conversation_id: UUID, operator_id: UUID, mode: str, text: str) -> None:
        rows = table_of(Draft)
        async with self._db.write() as session:
            # Two windows of one operator may keep at once: they take turns by the lock on the conversation.
            await session.execute(
                select(col(Conversation.id)).where(col(Conversation.id) == conversation_id).with_for_update()
            )
            await session.execute(
                delete(rows).where(rows.c.conversation_id == conversation_id, rows.c.operator_id == operator_id)
            )
            if text:
                session.add(
                    Draft(
                        conversation_id=conversation_id,
                        operator_id=operator_id,
                        mode=mode,
                        text=text,
                        at=self._clock.now(),
                    )
                )

    # ── for those who enter by the door ──────────────────────────────────────────────────────────────────────────

    async def transcript_of(self, conversation_id: UUID) -> transcript.Transcript | None:
        async with self._db.read() as session:
            return await transcript.transcript_of(session, conversation_id)

    async def append_card(self, session: AsyncSession, conversation_id: UUID, card: CardDraft) -> int:
        """Appends the card, or its next revision, in the caller's transaction; its seq. `announce` after the commit."""
        rows = table_of(Message)
        known = await session.execute(
            select(func.count())
            .select_from(rows)
            .where(rows.c.conversation_id == conversation_id, rows.c.ref.startswith(card.ref_prefix, autoescape=True))
        )
        entries = await append(session, conversation_id, [card.entry(known.scalar_one() + 1)], self._clock.now())
        return entries[0].seq

    async def append_remark(self, session: AsyncSession, conversation_id: UUID, texts: Mapping[str, str]) -> None:
        """A line for operators only, each in their language, in the caller's transaction. `announce` after it."""
        text = next(iter(texts.values()))
        remark = EntryDraft("event", text=text, data={"event": "remarked", "texts": dict(texts)})
        await append(session, conversation_id, [remark], self._clock.now(), stream=INTERNAL)

    async def announce(self, conversation_id: UUID) -> None:
        """What others committed in the conversation's streams reaches all open views."""
        async with self._db.read() as session:
            heads = await store.heads_of(session, conversation_id)
            if heads is None:
                return
            for stream, head in zip((PUBLIC, INTERNAL), heads, strict=True):
                if not head:
                    continue
                entries = await store.entries_after(session, conversation_id, stream, max(0, head - 20), 20)
                self._hub.entered(
                    FeedKey(conversation_id, stream), [self.presenter.present(entry) for entry in entries]
                )
        self.changed_row(conversation_id)

    async def nudge(self, topic: str, about: str = "") -> None:
        """Pages of operators that show this should look again."""
        self._hub.publish(DESK, {"kind": "nudge", "topic": topic, "id": about})

    def on_nudge(self, heard: Callable[[str, str], None]) -> None:
        """`heard(topic, about)` for each nudge of this process, and of others while somebody here follows them."""
        self._hub.on("nudge", lambda _topic, news: heard(news["topic"], news["id"]))

    def follow_nudges(self) -> None:
        """Until `unfollow_nudges`; calls are counted."""
        self._hub.follow(DESK)

    def unfollow_nudges(self) -> None:
        self._hub.unfollow(DESK)

    # ── after the commit ─────────────────────────────────────────────────────────────────────────────────────────

    def entered(self, conversation_id: UUID, entries: list[StoredEntry]) -> None:
        """Committed entries of one stream go to their followers, and the row of the inbox is told."""
        if entries:
            key = FeedKey(conversation_id, entries[0].stream)
            self._hub.entered(key, [self.presenter.present(entry) for entry in entries])
            self.changed_row(conversation_id)

    def changed_row(self, conversation_id: UUID) -> None:
        """Told to all consoles, with what else changes in a moment: else each message were a hint to each process."""
        if not self._changed_rows:
            asyncio.get_running_loop().call_later(ROWS_SECONDS, self._tell_rows)
        self._changed_rows.add(conversation_id)

    def _tell_rows(self) -> None:
        changed, self._changed_rows = [text_of(one) for one in self._changed_rows], set()
        for start in range(0, len(changed), ROWS_AT_ONCE):
            self._hub.publish(DESK, {"kind": "rows", "conversations": changed[start : start + ROWS_AT_ONCE]})

    def waiting_changed(self) -> None:
        """Somebody began or ceased to wait, or an operator became free: dispatchers look now."""
        self._hub.publish(PAIRING, {"kind": "look"})

    def _committed(self, conversation_id: UUID, entries: list[StoredEntry], waits: bool) -> None:
        self.entered(conversation_id, entries)
        if waits or any(entry.data.get("event") == "left" for entry in entries):
            self.waiting_changed()
        self.bell.ring(SAID, conversation_id)

    def _owed(self, entries: Iterable[StoredEntry]) -> list[OutboxDraft]:
        return [
            one
            for entry in entries
            if entry.kind == "message" and entry.author.kind == "visitor"
            for owed in self._with_words
            if (one := owed(entry.conversation_id, entry.text)) is not None
        ]

    def _said_again(self, entry: StoredEntry) -> None:
        """A resend of what is stored: most know of it, but the process that stored it may have died just then, or its
        answer been lost on the way from the database."""
        self._hub.reached(FeedKey(entry.conversation_id, entry.stream), entry.seq)
        self.changed_row(entry.conversation_id)
        self.waiting_changed()
        self.bell.ring(SAID, entry.conversation_id)


def checked_address(text: str) -> str:
    """The address in its normal form. Syntax only: nothing is asked of the network."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise AddressInvalid from None
    if "." not in found.domain.strip("."):
        raise AddressInvalid
    return found.normalized


def _author(visitor: SomeVisitor, name: str = "") -> Author:
    return Author("visitor", visitor.id, name.strip() or visitor.name or "")


def _owner(author: Author) -> str:
    """As whose uploads are kept."""
    return f"{author.kind}:{author.id}"


async def _department(session: AsyncSession, slug: str) -> UUID:
    found: Any = (await session.execute(_DEPARTMENT, {"slug": slug})).scalar_one()
    return UUID(str(found))


# Each conversation begins with them: to build one costs as much as to execute it.
_visitors, _departments = table_of(Visitor), table_of(Department)
_BEGUN = select(Conversation).where(
    col(Conversation.visitor_id) == bindparam("visitor"), col(Conversation.start_ref) == bindparam("ref")
)
_LOCK_VISITOR = select(_visitors.c.id).where(_visitors.c.id == bindparam("visitor")).with_for_update()
_DEPARTMENT = (
    select(_departments.c.id)
    .order_by((_departments.c.slug == bindparam("slug")).desc(), _departments.c.position)
    .limit(1)
)
