"""Uploads: begun, received piece by piece over as many connections as it takes, checked, ready or refused.

The row is the truth of what it is, the bytes that lie there are the truth of how far it has come: nothing has to be
written twice for every piece, and a process that dies in the middle loses nothing that it has answered for.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import case, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from chat.clock import Clock
from chat.db import Database, insert_for, rows_changed, table_of
from chat.files.checking import Checked, Checks
from chat.files.errors import (
    REFUSALS,
    DiskLow,
    Empty,
    FileRefused,
    NoSuchFile,
    NotChecked,
    OutOfStep,
    TooLarge,
    TypeNotAllowed,
)
from chat.files.kinds import may_begin
from chat.files.limits import MB, PIECE, UNDER_WAY_FOR
from chat.files.models import CHECKING, READY, RECEIVING, REFUSED, File, FileContent
from chat.files.names import label
from chat.files.shares import Owner, require_begin, require_share
from chat.files.storage import Storage

CHECK_LEASE = timedelta(seconds=150)
"""Whoever checks for longer has died of it; the next who asks does it again."""
TELL_AFTER = timedelta(minutes=1)
"""So often the row of a slow one says how far it has come."""
STOP_SECONDS = 5.0
IDLE_SECONDS = 30.0
"""For a piece of a body; then the connection is given up, what has come is kept."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """How a file stands. `received` of `size` bytes; `refusal` says why it was not taken."""

    id: UUID
    name: str
    state: str
    size: int
    received: int
    media_type: str = ""
    width: int = 0
    height: int = 0
    refusal: type[FileRefused] | None = None


class Uploads:
    def __init__(self, db: Database, clock: Clock, storage: Storage, checks: Checks, max_bytes: int) -> None:
        self._db = db
        self._clock = clock
        self._storage = storage
        self._checks = checks
        self.max_bytes = max_bytes
        self._checking: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, owner: Owner, ref: str, name: str, size: int) -> Upload:
        """The upload of this ref, begun now or earlier. Raises FileRefused or FileDelayed."""
        name = label(name)
        if (found := await self._by_ref(owner, ref)) is not None:
            return await self._standing(found)
        if size <= 0:
            raise Empty
        if size > self.max_bytes:
            raise TooLarge
        may_begin(name)
        if not await asyncio.to_thread(self._storage.has_room, size):
            raise DiskLow
        now = self._clock.now()
        row = File(
            id=uuid4(),
            owner=owner.key,
            pool=owner.pool,
            ref=ref,
            name=name,
            state=RECEIVING,
            size=size,
            created_at=now,
            touched_at=now,
        )
        try:
            async with self._db.write() as session:
                await require_begin(session, owner, size, now)
                session.add(row)
        except IntegrityError:
            found = await self._by_ref(owner, ref)  # the same began over two connections
            if found is None:
                raise
            return await self._standing(found)
        return Upload(row.id, name, RECEIVING, size, 0)

    async def receive(self, owner: Owner, upload_id: UUID, offset: int, pieces: AsyncIterator[bytes]) -> Upload:
        """Takes a part that begins at `offset`; what came before the line broke is kept. Raises OutOfStep with where
        to go on, and as `begin`."""
        row = await self._of(owner, upload_id)
        if row.state != RECEIVING:
            return await self._standing(row)
        received = await asyncio.to_thread(self._storage.received, row.id)
        if offset != received:
            raise OutOfStep(received)
        await self._go_on(owner, row)
        waiting, told_at = bytearray(), self._clock.now()
        try:
            async for piece in _timely(pieces):
                if received + len(waiting) + len(piece) > row.size:
                    raise TooLarge
                waiting += piece
                if len(waiting) >= PIECE:
                    received = await self._write(row.id, received, waiting)
                    if (now := self._clock.now()) - told_at > TELL_AFTER:
                        told_at = now
                        await self._touch(row.id)
        finally:
            if waiting:
                received = await asyncio.shield(self._write(row.id, received, waiting))
            if received < row.size:
                await asyncio.shield(self._touch(row.id))
        return await self._standing(row)

    async def _write(self, upload_id: UUID, offset: int, waiting: bytearray) -> int:
        piece = bytes(waiting)
        waiting.clear()
        try:
            return await asyncio.to_thread(self._storage.write, upload_id, offset, piece)
        except OSError as error:
            log.warning("a piece of a file could not be stored", error=type(error).__name__)
            raise DiskLow from error

    async def look(self, owner: Owner, upload_id: UUID) -> Upload:
        return await self._standing(await self._of(owner, upload_id))

    async def cancel(self, owner: Owner, upload_id: UUID) -> None:
        """Forgets a file that was not sent along yet."""
        rows = table_of(File)
        row = await self._of(owner, upload_id)
        async with self._db.write() as session:
            await session.execute(
                update(rows)
                .where(rows.c.id == row.id, rows.c.state.in_((RECEIVING, CHECKING)))
                .values(state=REFUSED, refusal=NoSuchFile.code)
            )
        await asyncio.to_thread(self._storage.drop, row.id)

    async def take(self, owner: Owner, ref: str, name: str, size: int, pieces: AsyncIterator[bytes]) -> Upload:
        """A whole file at once, as a form without script sends it. Raises what `begin` raises, or why it is refused."""
        upload = await self.begin(owner, ref, name, size)
        if upload.state == RECEIVING:
            await asyncio.to_thread(self._storage.drop, upload.id)  # a half that an earlier try of the form left
            upload = await self.receive(owner, upload.id, 0, pieces)
        while upload.state == CHECKING:
            checking = set(self._checking)
            if checking:
                await asyncio.wait(checking)
            upload = await self.look(owner, upload.id)
            if not checking:
                break  # another process does it
        if upload.refusal is not None:
            raise upload.refusal
        if upload.state != READY:
            raise NotChecked
        return upload

    async def stop(self) -> None:
        """What is being checked may end; what takes long is checked again elsewhere, when its lease is over."""
        if self._checking:
            await asyncio.wait(self._checking, timeout=STOP_SECONDS)
        for task in self._checking:
            task.cancel()
        await asyncio.gather(*self._checking, return_exceptions=True)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _by_ref(self, owner: Owner, ref: str) -> File | None:
        async with self._db.read() as session:
            statement = select(File).where(col(File.owner) == owner.key, col(File.ref) == ref)
            return (await session.execute(statement)).scalars().first()

    async def _of(self, owner: Owner, upload_id: UUID) -> File:
        async with self._db.read() as session:
            row = await session.get(File, upload_id)
        if row is None or row.owner != owner.key:
            raise NoSuchFile
        return row

    async def _go_on(self, owner: Owner, row: File) -> None:
        """Raises QuotaReached where its place was given up meanwhile and others have it."""
        rows, now = table_of(File), self._clock.now()
        async with self._db.write() as session:
            if row.touched_at <= now - UNDER_WAY_FOR:
                await require_share(session, owner, row.size - row.received, now)
            await session.execute(update(rows).where(rows.c.id == row.id).values(touched_at=now))

    async def _touch(self, upload_id: UUID) -> None:
        """It has moved; and so far it has come, which never shrinks."""
        rows = table_of(File)
        received = await asyncio.to_thread(self._storage.received, upload_id)
        most = case((rows.c.received < received, received), else_=rows.c.received)
        async with self._db.write() as session:
            values = {"touched_at": self._clock.now(), "received": most}
            await session.execute(update(rows).where(rows.c.id == upload_id).values(**values))

    async def _standing(self, row: File) -> Upload:
        """As it is; one that has all its bytes is being checked from now on."""
        received = row.size
        if row.state == RECEIVING:
            received = await asyncio.to_thread(self._storage.received, row.id)
        state = row.state
        if (state == RECEIVING and received == row.size) or state == CHECKING:
            turn = await self._claim(row)
            state = CHECKING
            if turn:
                task = asyncio.create_task(self._check(row, turn), name="file check")
                self._checking.add(task)
                task.add_done_callback(self._checking.discard)
                # Most are ready in a moment, and the answer can say so; the check itself waits for nobody.
                await asyncio.wait({task}, timeout=0.5)
                async with self._db.read() as session:
                    fresh = await session.get(File, row.id)
                if fresh is not None:
                    row, state = fresh, fresh.state
                if state == RECEIVING:
                    raise NotChecked(retry_after=5)
        refusal = REFUSALS.get(row.refusal, TypeNotAllowed) if state == REFUSED else None
        return Upload(row.id, row.name, state, row.size, received, row.media_type, row.width, row.height, refusal)

    async def _claim(self, row: File) -> int:
        """The turn in which this caller checks it; 0 where somebody else does."""
        rows = table_of(File)
        now = self._clock.now()
        abandoned = (rows.c.state == CHECKING) & (rows.c.touched_at < now - CHECK_LEASE)
        async with self._db.write() as session:
            claimed = await session.execute(
                update(rows)
                .where(rows.c.id == row.id, rows.c.turn == row.turn, or_(rows.c.state == RECEIVING, abandoned))
                .values(state=CHECKING, turn=rows.c.turn + 1, touched_at=now, received=row.size)
            )
        return row.turn + 1 if rows_changed(claimed) else 0

    async def _check(self, row: File, turn: int) -> None:
        values: dict[str, Any]
        try:
            # One at a time of whoever sent it: nobody's twenty images stand before everybody else's one.
            async with self._turns.setdefault(row.owner, asyncio.Lock()):
                with self._storage.workplace() as folder:
                    checked = await self._checks.check(row.id, row.name, folder)
                    await self._keep(row.id, turn, checked)
        except FileRefused as refusal:
            values = {"state": REFUSED, "refusal": refusal.code}
            log.info("a file was refused", code=refusal.code)
        except Exception as error:
            # The bytes are there: whoever asks next has it checked again.
            log.warning("a file could not be checked", error=type(error).__name__)
            values = {"state": RECEIVING}
        else:
            return
        await self._settle(row.id, turn, values)
        if values["state"] == REFUSED:
            await asyncio.to_thread(self._storage.drop, row.id)

    async def _keep(self, upload_id: UUID, turn: int, checked: Checked) -> None:
        contents = [(checked.sha256, checked.size, checked.made)]
        if checked.small is not None and checked.small_sha256 is not None:
            contents.append((checked.small_sha256, checked.small_size, checked.small))
        for sha256, _, made in contents:
            # A copy, for the name may be taken from under it by whoever tidies, until the row below is committed.
            await asyncio.to_thread(self._put, made, sha256)
        values = {
            "state": READY,
            "name": checked.name,
            "size": checked.size,
            "media_type": checked.media_type,
            "width": checked.width,
            "height": checked.height,
            "content": checked.sha256,
            "small": checked.small_sha256,
            "touched_at": self._clock.now(),
        }
        await self._settle(upload_id, turn, values, sorted({(sha256, size) for sha256, size, _ in contents}))
        for sha256, _, made in contents:
            if not await asyncio.to_thread(self._storage.has, sha256):
                await asyncio.to_thread(self._put, made, sha256)
        await asyncio.to_thread(self._storage.drop, upload_id)

    def _put(self, made: Any, sha256: str) -> None:
        if not self._storage.has(sha256):
            with self._storage.workplace() as folder:
                copy = folder / "copy"
                copy.write_bytes(made.read_bytes())
                self._storage.keep(copy, sha256)

    async def _settle(
        self, upload_id: UUID, turn: int, values: dict[str, Any], contents: list[tuple[str, int]] | None = None
    ) -> None:
        rows, kept = table_of(File), table_of(FileContent)
        now = self._clock.now()
        async with self._db.write() as session:
            insert = insert_for(session)
            for sha256, size in contents or ():
                # Also where it is known: the row's lock keeps it from being tidied away in this moment.
                new = insert(kept).values(sha256=sha256, size=size, created_at=now)
                await session.execute(new.on_conflict_do_update(index_elements=["sha256"], set_={"size": size}))
            await session.execute(
                update(rows)
                .where(rows.c.id == upload_id, rows.c.turn == turn, rows.c.state == CHECKING)
                .values(**values)
            )


async def _timely(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Raises TimeoutError where nothing comes."""
    iterator = aiter(pieces)
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await anext(iterator)
        except StopAsyncIteration:
            return
        yield piece


def in_words(size: int) -> str:
    """`25 MB`."""
    return f"{size / MB:.0f} MB" if size >= MB else f"{max(1, round(size / 1024))} kB"
