"""Group commit: messages that arrive while a commit is running go together into the next transaction.

Naive: one transaction per message, a flush to disk each: 200 to 1,900 messages a second on two cores. Here: one
flush per group, 17,000 to 38,000 (performance.md, section 4). The acknowledgement comes after the commit.

A `ref` that exists already leaves the group before numbers are given, so a resend burns no `seq`; conversations are
locked in the order of their ids, so two processes cannot deadlock; a group that breaks a rule of the database is tried
again one by one, so one bad message cannot refuse its neighbours.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.entry import Author, EntryDraft, StoredEntry, entry_of, event
from chat.conversations.models import PUBLIC, Conversation, Message
from chat.conversations.streams import insert_entries
from chat.db import Database, DatabaseAway, table_of
from chat.protocol.errors import RefTaken, Unavailable, UnknownConversation

GROUP = 500

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Waiting:
    conversation_id: UUID
    author: Author
    text: str
    ref: str
    reopens: bool
    done: asyncio.Future[StoredEntry]


@dataclass
class _Outcome:
    """What one transaction did: an answer per message, and all entries it added, in order."""

    answers: list[tuple[_Waiting, StoredEntry | Exception]] = field(default_factory=list)
    added: dict[UUID, list[StoredEntry]] = field(default_factory=dict)
    reopened: set[UUID] = field(default_factory=set)


class Journal:
    """`await say(…)` returns the committed entry, whether this call or an earlier one with the same `ref` made it.

    Raises UnknownConversation, RefTaken (the ref is another author's), Unavailable (nothing was stored; retry).
    """

    def __init__(
        self, db: Database, clock: Clock, on_committed: Callable[[UUID, list[StoredEntry], bool], None]
    ) -> None:
        self._db = db
        self._clock = clock
        self._on_committed = on_committed
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="journal")

    async def stop(self) -> None:
        """Finishes the group that is running and what waits, then ends."""
        if self._task is not None and not self._task.done():
            await self._idle.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def say(
        self, conversation_id: UUID, author: Author, text: str, ref: str, *, reopens: bool = True
    ) -> StoredEntry:
        done: asyncio.Future[StoredEntry] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(conversation_id, author, text, ref, reopens, done))
        self._idle.clear()
        self._wake.set()
        return await asyncio.shield(done)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not self._waiting:
                self._wake.clear()
            if group:
                await self._commit(group)
            if not self._waiting:
                self._idle.set()

    async def _commit(self, group: list[_Waiting]) -> None:
        try:
            outcome = await self._transaction(group)
        except (IntegrityError, DataError) as error:
            # One of them is at fault: alone, each finds out whether it was the one.
            if len(group) > 1:
                for waiting in group:
                    await self._commit([waiting])
                return
            log.warning("a message could not be stored", error=type(error).__name__)
            _answer(group[0], Unavailable())
            return
        except (SQLAlchemyError, DatabaseAway, OSError) as error:
            # The database is away, locked or full, for each of them alike: they keep their texts and send again.
            log.warning("messages could not be stored", error=type(error).__name__, messages=len(group))
            for waiting in group:
                _answer(waiting, Unavailable())
            return
        except Exception as error:
            log.exception("the journal failed")
            for waiting in group:
                _answer(waiting, error)
            return
        for conversation_id, entries in outcome.added.items():
            try:
                self._on_committed(conversation_id, entries, conversation_id in outcome.reopened)
            except Exception:
                # What is committed is committed: whoever has not heard of it is told by the next sweep.
                log.exception("committed entries could not be told")
        for waiting, answer in outcome.answers:
            _answer(waiting, answer)

    async def _transaction(self, group: Sequence[_Waiting]) -> _Outcome:
        outcome = _Outcome()
        now = self._clock.now()
        async with self._db.write() as session:
            conversations = await _locked(session, sorted({waiting.conversation_id for waiting in group}))
            known = await _known_refs(session, group)
            updates: list[dict[str, Any]] = []
            by_conversation: dict[UUID, list[_Waiting]] = {}
            for waiting in group:
                if waiting.conversation_id not in conversations:
                    outcome.answers.append((waiting, UnknownConversation()))
                    continue
                by_conversation.setdefault(waiting.conversation_id, []).append(waiting)
            added: list[StoredEntry] = []
            for conversation_id, saying in by_conversation.items():
                state = _State(conversations[conversation_id], now)
                for waiting in saying:
                    earlier = known.get((conversation_id, waiting.ref))
                    if earlier is None:
                        earlier = known[conversation_id, waiting.ref] = state.say(waiting)
                    elif not _is_resend(waiting, earlier):
                        outcome.answers.append((waiting, RefTaken()))
                        continue
                    outcome.answers.append((waiting, earlier))
                if state.added:
                    updates.append(state.values)
                    added += state.added
                    outcome.added[conversation_id] = state.added
                if state.reopened:
                    outcome.reopened.add(conversation_id)
            if added:
                await _update(session, updates)
                await insert_entries(session, added)
        return outcome


class _State:
    """A locked conversation while messages are added to it."""

    def __init__(self, row: Any, now: datetime) -> None:
        self.now = now
        self.added: list[StoredEntry] = []
        self.reopened = False
        self.values: dict[str, Any] = {
            "b_id": row.id,
            "last_seq": row.last_seq,
            "state": row.state,
            "operator_id": row.operator_id,
            "waiting_since": row.waiting_since,
            "ended_at": row.ended_at,
            "first_reply_at": row.first_reply_at,
            "first_reply_seconds": row.first_reply_seconds,
            "last_message_text": row.last_message_text,
            "last_message_by": row.last_message_by,
            "last_message_at": row.last_message_at,
            "visitor_read_seq": row.visitor_read_seq,
            "operator_read_seq": row.operator_read_seq,
            "version": row.version,
        }
        self.created_at: datetime = row.created_at

    def say(self, waiting: _Waiting) -> StoredEntry:
        values = self.values
        by_visitor = waiting.author.kind == "visitor"
        if by_visitor and waiting.reopens and values["state"] in ("ended", "left"):
            # A word after the end is never lost and never alone: the conversation goes back to the queue.
            if values["state"] == "ended":
                self._add(event("reopened", waiting.author))
            values.update(state="waiting", operator_id=None, ended_at=None, waiting_since=self.now)
            self.reopened = True
        entry = self._add(EntryDraft("message", waiting.author, waiting.text, ref=waiting.ref))
        values["last_message_text"] = waiting.text[:200]
        values["last_message_by"] = waiting.author.kind
        values["last_message_at"] = self.now
        if by_visitor:
            values["visitor_read_seq"] = entry.seq
            if values["state"] not in ("ended", "left"):
                values["waiting_since"] = values["waiting_since"] or self.now
        else:
            values["operator_read_seq"] = entry.seq
            values["waiting_since"] = None
            if values["first_reply_at"] is None and waiting.author.id is not None:
                values["first_reply_at"] = self.now
                values["first_reply_seconds"] = (self.now - self.created_at).total_seconds()
        return entry

    def _add(self, draft: EntryDraft) -> StoredEntry:
        self.values["last_seq"] += 1
        self.values["version"] += 1
        entry = StoredEntry(
            self.values["b_id"],
            PUBLIC,
            self.values["last_seq"],
            draft.kind,
            draft.author,
            draft.text,
            draft.data,
            draft.ref,
            0,
            self.now,
        )
        self.added.append(entry)
        return entry


async def _locked(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Any]:
    rows = table_of(Conversation)
    found = await session.execute(select(rows).where(rows.c.id.in_(ids)).order_by(rows.c.id).with_for_update())
    return {row.id: row for row in found}


async def _known_refs(session: AsyncSession, group: Sequence[_Waiting]) -> dict[tuple[UUID, str], StoredEntry]:
    rows = table_of(Message)
    found = await session.execute(
        select(rows).where(
            rows.c.conversation_id.in_({waiting.conversation_id for waiting in group}),
            rows.c.ref.in_({waiting.ref for waiting in group}),
        )
    )
    return {(row["conversation_id"], row["ref"]): entry_of(row) for row in found.mappings()}


async def _update(session: AsyncSession, updates: list[dict[str, Any]]) -> None:
    rows = table_of(Conversation)
    names = [name for name in updates[0] if name != "b_id"]
    statement = update(rows).where(rows.c.id == bindparam("b_id")).values({name: bindparam(name) for name in names})
    connection = await session.connection()
    await connection.execute(statement, updates)


def _is_resend(waiting: _Waiting, earlier: StoredEntry) -> bool:
    """The same author's message; a note of theirs with this `ref` is something else."""
    same = (earlier.author.kind, earlier.author.id) == (waiting.author.kind, waiting.author.id)
    return same and (earlier.stream, earlier.kind) == (PUBLIC, "message")


def _answer(waiting: _Waiting, answer: StoredEntry | Exception) -> None:
    if waiting.done.done():
        return
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)
