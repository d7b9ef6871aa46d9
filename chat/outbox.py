"""Rows that must have an effect elsewhere: written in the transaction of the fact, claimed by conditional UPDATE.

A handler runs at least once, so it must be idempotent. A row that failed is tried again, ever later; after the last
try it is `dead`, which `nightdesk doctor` and the log show: nothing fails in silence.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import JSON, Column, Index, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, Row, UTCDateTime, rows_changed, table_of
from chat.hub.bell import Bell
from chat.ids import new_id
from chat.patience import at_most

Handler = Callable[[dict[str, Any]], Awaitable[None]]

PAUSES = (1, 5, 15, 60, 300, 900, 3600, 3600, 3600, 3600)
"""Seconds before each further try."""
LEASE = timedelta(seconds=60)
HANDLER_SECONDS = 50.0
"""Within the lease: what takes longer has failed and is tried again, and the rows behind it go on."""
POLL_SECONDS = 2.0
"""How late a row is of which no ring of the bell came here."""
RING = "outbox"

log = structlog.get_logger(__name__)


class OutboxRow(Row, table=True):
    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "next_at"),)
    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=40)
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    dedupe: str = Field(unique=True, max_length=160)
    state: str = Field(max_length=10)  # waiting, working, done, dead
    attempts: int = 0
    next_at: datetime = Field(sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)


class OutboxDraft(NamedTuple):
    """What is to be done once the fact is committed; of one `dedupe` it is done once."""

    kind: str
    payload: dict[str, Any]
    dedupe: str


class Outbox:
    """`add` inside a transaction, `wake` after its commit; `run` is the worker, in this process or in any other."""

    def __init__(self, db: Database, clock: Clock, bell: Bell) -> None:
        self._db = db
        self._clock = clock
        self._bell = bell
        self._handlers: dict[str, Handler] = {}
        self._wake = asyncio.Event()
        self._held: OutboxRow | None = None
        """Claimed by `run` and not finished."""
        bell.on(RING, lambda _ids: self._wake.set())

    def on(self, kind: str, handler: Handler) -> None:
        self._handlers[kind] = handler

    @property
    def kinds(self) -> list[str]:
        """What this process can carry out."""
        return list(self._handlers)

    async def add(self, session: AsyncSession, kind: str, payload: dict[str, Any], dedupe: str) -> None:
        """One row, unless a row with this `dedupe` exists."""
        outbox = table_of(OutboxRow).c
        connection = await session.connection()
        if (await connection.execute(select(outbox.id).where(outbox.dedupe == dedupe))).first():
            return
        now = self._clock.now()
        values = {
            "id": new_id(),
            "kind": kind,
            "payload": payload,
            "dedupe": dedupe,
            "state": "waiting",
            "attempts": 0,
            "next_at": now,
            "created_at": now,
        }
        try:
            async with session.begin_nested():
                await connection.execute(insert(table_of(OutboxRow)), values)
        except IntegrityError:
            return  # another transaction wrote the same fact first

    def wake(self) -> None:
        self._bell.ring(RING)

    async def run(self) -> None:
        """Works until cancelled, and gives back then what it has begun: another begins it anew, at once. Any number of
        workers may run: a row is claimed by one."""
        try:
            with self._bell.followed():
                await self._work_on()
        except asyncio.CancelledError:
            if self._held is not None:
                await self._give_back(self._held)
            raise

    async def _work_on(self) -> None:
        while True:
            try:
                while await self.work_once():
                    pass
            except Exception:
                # Rows stay claimed until their lease ends; the next round takes them again.
                log.warning("the outbox could not work", exc_info=True)
            await at_most(POLL_SECONDS, self._wake)
            self._wake.clear()

    async def work_once(self) -> bool:
        """Claims and carries out one due row; False when none was due."""
        claimed = await self._claim()
        if claimed is None:
            return False
        self._held = claimed
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                await self._handlers[claimed.kind](claimed.payload)
        except Exception:
            log.warning("an outbox row failed", kind=claimed.kind, attempt=claimed.attempts, exc_info=True)
            await self._finish(claimed, failed=True)
        else:
            await self._finish(claimed, failed=False)
        self._held = None
        return True

    async def _claim(self) -> OutboxRow | None:
        rows = table_of(OutboxRow)
        now = self._clock.now()
        due = or_(rows.c.state == "waiting", rows.c.state == "working") & (rows.c.next_at <= now)
        async with self._db.read() as session:
            found = (
                await session.execute(
                    select(rows.c.id, rows.c.attempts, rows.c.kind)
                    .where(due, rows.c.kind.in_(list(self._handlers)))
                    .order_by(rows.c.next_at)
                    .limit(1)
                )
            ).first()
        if found is None:
            return None
        if found.attempts > len(PAUSES):
            # Begun so often and never ended: whoever works on it dies of it. It stands still, and people are told.
            await self._park(found.id, found.attempts, found.kind)
            return None
        async with self._db.write() as session:
            result = await session.execute(
                update(rows)
                .where(rows.c.id == found.id, rows.c.attempts == found.attempts, due)
                .values(state="working", attempts=rows.c.attempts + 1, next_at=now + LEASE)
            )
            if rows_changed(result) == 0:
                return None  # another worker was faster
            return await session.get_one(OutboxRow, found.id)

    async def _park(self, row_id: UUID, attempts: int, kind: str) -> None:
        rows = table_of(OutboxRow)
        async with self._db.write() as session:
            parked = await session.execute(
                update(rows)
                .where(rows.c.id == row_id, rows.c.attempts == attempts, rows.c.state == "working")
                .values(state="dead")
            )
        if rows_changed(parked):
            log.error("an outbox row was parked", kind=kind, attempt=attempts)

    async def _give_back(self, row: OutboxRow) -> None:
        rows = table_of(OutboxRow)
        try:
            async with self._db.write() as session:
                await session.execute(
                    update(rows)
                    .where(rows.c.id == row.id, rows.c.attempts == row.attempts, rows.c.state == "working")
                    .values(state="waiting", attempts=row.attempts - 1, next_at=self._clock.now())
                )
        except Exception:
            log.warning("an outbox row could not be given back", kind=row.kind, exc_info=True)  # its lease ends

    async def _finish(self, row: OutboxRow, *, failed: bool) -> None:
        rows = table_of(OutboxRow)
        values: dict[str, Any] = {"state": "done"}
        if failed and row.attempts > len(PAUSES):
            values = {"state": "dead"}
        elif failed:
            pause = timedelta(seconds=PAUSES[row.attempts - 1])
            values = {"state": "waiting", "next_at": self._clock.now() + pause}
        async with self._db.write() as session:
            await session.execute(
                update(rows)
                .where(rows.c.id == row.id, rows.c.attempts == row.attempts, rows.c.state == "working")
                .values(**values)
            )
