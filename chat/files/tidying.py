"""Takes away uploads that nobody finished, files that nobody sent along, and contents that no file has any more."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, table_of
from chat.files.limits import UNUSED_KEPT
from chat.files.models import READY, REFUSED, File, FileContent, FilePlace
from chat.files.storage import DiskStorage

BATCH = 100
REFUSED_KEPT = timedelta(days=1)
"""So long a client that was away may ask what became of it, and the share of the day counts."""


class Tidying:
    def __init__(self, db: Database, clock: Clock, storage: DiskStorage) -> None:
        self._db = db
        self._clock = clock
        self._storage = storage

    async def clean(self) -> int:
        """How many files went. Any number may do this at a time."""
        count = 0
        while gone := await self._forget_files():
            count += gone
            await asyncio.sleep(0)  # others write between two batches
        while await self._forget_contents():
            pass
        await asyncio.to_thread(self._storage.sweep, 2 * UNUSED_KEPT.total_seconds())
        return count

    async def _forget_files(self) -> int:
        rows, places = table_of(File), table_of(FilePlace)
        now = self._clock.now()
        is_placed = select(places.c.file_id).where(places.c.file_id == rows.c.id).exists()
        over = or_(
            (rows.c.state != REFUSED) & (rows.c.touched_at < now - UNUSED_KEPT) & ~is_placed,
            (rows.c.state == REFUSED) & (rows.c.touched_at < now - REFUSED_KEPT),
        )
        async with self._db.write() as session:
            # Locked first: who sends one along in this moment is seen by the second look, or does not find it.
            found = (
                (await session.execute(select(rows.c.id).where(over).limit(BATCH).with_for_update())).scalars().all()
            )
            gone = (
                await session.execute(delete(rows).where(rows.c.id.in_(found), over).returning(rows.c.id, rows.c.state))
            ).all()
        for file_id, state in gone:
            if state != READY:
                await asyncio.to_thread(self._storage.drop, file_id)
        return len(found)

    async def _forget_contents(self) -> int:
        rows, files = table_of(FileContent), table_of(File)
        is_used = (
            select(files.c.id).where(or_(files.c.content == rows.c.sha256, files.c.small == rows.c.sha256)).exists()
        )
        async with self._db.write() as session:
            unused = select(rows.c.sha256).where(~is_used).limit(BATCH).with_for_update()
            found = (await session.execute(unused)).scalars().all()
            if not found:
                return 0
            return await self._remove(session, list(found))

    async def _remove(self, session: AsyncSession, found: list[str]) -> int:
        """Under the rows' locks: whoever stores the same content now waits for the end of this transaction, and looks
        whether its bytes are there after its own."""
        rows, files = table_of(FileContent), table_of(File)
        is_used = (
            select(files.c.id).where(or_(files.c.content == rows.c.sha256, files.c.small == rows.c.sha256)).exists()
        )
        gone = await session.execute(delete(rows).where(rows.c.sha256.in_(found), ~is_used).returning(rows.c.sha256))
        hashes = list(gone.scalars())
        for sha256 in hashes:
            await asyncio.to_thread(self._storage.remove, sha256)
        return len(hashes)
