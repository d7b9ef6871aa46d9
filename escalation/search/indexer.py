"""Keeps the words of tickets and conversations. Reads messages in the order of their ids, behind everybody else's work.

Ids carry the time of their making, not of their commit: what is younger than a minute is read again in the next rounds,
so that a slow transaction is not passed over. What is known already costs one comparison.
"""

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, insert_for, rows_changed, table_of
from chat.ids import new_id
from chat.public import Message
from escalation.models import Ticket, TicketMessage
from escalation.search.models import CONVERSATION, TICKET, SearchCursor, SearchWord
from escalation.search.words import words_of

EVERY = 2.0
LEASE = timedelta(seconds=30)
YOUNG = timedelta(seconds=60)
BATCH = 500
FIRST = UUID(int=0)
SOURCES: dict[str, type[SQLModel]] = {TICKET: TicketMessage, CONVERSATION: Message}

log = structlog.get_logger(__name__)


class Indexer:
    """Construct it, then `run` it in a task. Any number may run: one at a time reads each source."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._id = new_id()
        self._young: dict[str, dict[UUID, datetime]] = {kind: {} for kind in SOURCES}

    async def run(self) -> None:
        while True:
            try:
                while await self.round():
                    pass  # there is more: a first run over years of messages
            except Exception:
                # Nothing is lost: the cursor stands where it stood.
                log.warning("words could not be read", exc_info=True)
            await asyncio.sleep(EVERY)

    async def round(self) -> bool:
        """Whether there is more to read at once."""
        more = False
        for kind in SOURCES:
            more = await self._read(kind) or more
        return more

    async def _read(self, kind: str) -> bool:
        now = self._clock.now()
        async with self._db.write() as session:
            upto = await self._claim(session, kind, now)
        if upto is None:
            return False
        known = self._young[kind]
        async with self._db.read() as session:
            fresh, texts = await _found(session, kind, upto, known)
        # Strangers wrote it: neither the loop nor the one writer waits until it is taken apart.
        pairs = await asyncio.to_thread(_pairs, texts)
        young = {
            row: since for row, since in (known | dict.fromkeys(fresh, now)).items() if _made_at(row) > now - YOUNG
        }
        # Up to the last old one; the young ones behind it are read again, and known.
        old = [row for row in (*known, *fresh) if row not in young]
        if pairs or old:
            async with self._db.write() as session:
                if await self._claim(session, kind, self._clock.now()) != upto:
                    return False  # another took over meanwhile
                await _put(session, kind, pairs)
                if old:
                    await _move(session, kind, max(old))
        self._young[kind] = young
        return len(fresh) >= BATCH

    async def _claim(self, session: AsyncSession, kind: str, now: datetime) -> UUID | None:
        """Where to read on; None while another worker does. Whoever takes over reads the young ones once more."""
        rows = table_of(SearchCursor)
        insert = insert_for(session)
        first = insert(rows).values(kind=kind, upto=FIRST, leased_until=now, holder=self._id)
        await session.execute(first.on_conflict_do_nothing())
        claimed = await session.execute(
            update(rows)
            .where(rows.c.kind == kind, (rows.c.holder == self._id) | (rows.c.leased_until <= now))
            .values(holder=self._id, leased_until=now + LEASE)
        )
        if not rows_changed(claimed):
            self._young[kind].clear()
            return None
        upto: UUID = (await session.execute(select(rows.c.upto).where(rows.c.kind == kind))).scalar_one()
        return upto


async def _found(
    session: AsyncSession, kind: str, upto: UUID, known: Collection[UUID]
) -> tuple[list[UUID], dict[UUID, list[str]]]:
    """The ids of what is new, and its texts by ticket or conversation."""
    rows = table_of(SOURCES[kind]).c
    subject = rows.ticket_id if kind == TICKET else rows.conversation_id
    query = select(rows.id, subject.label("subject"), rows.text).where(rows.id > upto).order_by(rows.id)
    found = (await session.execute(query.limit(BATCH + len(known)))).all()
    fresh = [row for row in found if row.id not in known][:BATCH]
    texts: dict[UUID, list[str]] = {}
    for row in fresh:
        texts.setdefault(row.subject, []).append(row.text)
    if kind == TICKET:
        await _add_tickets(session, texts)
    return [row.id for row in fresh], texts


async def _add_tickets(session: AsyncSession, texts: dict[UUID, list[str]]) -> None:
    """What stands on the ticket itself is found with any of its messages."""
    rows = table_of(Ticket).c
    query = select(rows.id, rows.number, rows.subject, rows.requester_name, rows.requester_email, rows.service_label)
    for row in await session.execute(query.where(rows.id.in_(texts))):
        texts[row.id] += [row.number, row.subject, row.requester_name, row.requester_email, row.service_label]


def _pairs(texts: dict[UUID, list[str]]) -> list[tuple[str, UUID]]:
    """Sorted, so that two who write the same words never wait for each other in a circle."""
    return sorted({(word, subject) for subject, said in texts.items() for text in said for word in words_of(text)})


async def _put(session: AsyncSession, kind: str, pairs: list[tuple[str, UUID]]) -> None:
    insert = insert_for(session)
    for part in _parts(pairs, 300):
        values = [{"word": word, "kind": kind, "subject_id": subject} for word, subject in part]
        await session.execute(insert(table_of(SearchWord)).values(values).on_conflict_do_nothing())


def _parts(pairs: list[tuple[str, UUID]], size: int) -> Iterable[list[tuple[str, UUID]]]:
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


async def _move(session: AsyncSession, kind: str, upto: UUID) -> None:
    rows: Any = table_of(SearchCursor)
    await session.execute(update(rows).where(rows.c.kind == kind).values(upto=upto))


def _made_at(identity: UUID) -> datetime:
    """Of a UUIDv7: its first 48 bits are milliseconds."""
    return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC)
