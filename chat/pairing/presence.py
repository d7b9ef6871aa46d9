"""Who is there: presence rows under the lease of a process that raises its beat.

No wall clock is compared: a process whose beat stood still for 25 s by *our* stopwatch is dead, and its rows go by a
conditional DELETE. A process that slept and woke finds its own row gone and takes a new identity.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.ids import new_id
from chat.pairing.models import Presence, Process
from chat.people.models import Operator

BEAT_SECONDS = 10.0
DEAD_SECONDS = 25.0


class PresenceBook:
    """One per process. `arrive` and `depart` count an operator's sockets here; `beat` keeps the lease."""

    def __init__(self, db: Database, clock: Clock, on_changed: Callable[[UUID], None]) -> None:
        self._db = db
        self._clock = clock
        self._on_changed = on_changed
        self.process_id = new_id()
        self._sockets: dict[UUID, int] = {}
        self._seen: dict[UUID, tuple[int, float]] = {}
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        async with self._db.write() as session:
            session.add(Process(id=self.process_id, beat=0, started_at=self._clock.now()))

    async def stop(self) -> None:
        """Takes this process's rows away at once, so that nobody is shown online who is not."""
        async with self._db.write() as session:
            gone = await _forget(session, self.process_id)
        for operator_id in gone:
            self._on_changed(operator_id)

    async def arrive(self, operator_id: UUID) -> None:
        self._sockets[operator_id] = self._sockets.get(operator_id, 0) + 1
        await self._write(operator_id)

    async def depart(self, operator_id: UUID) -> None:
        self._sockets[operator_id] = max(0, self._sockets.get(operator_id, 0) - 1)
        if not self._sockets[operator_id]:
            del self._sockets[operator_id]
        await self._write(operator_id)

    async def beat(self) -> bool:
        """Raises the beat; False when this process was declared dead meanwhile (it has a new identity then)."""
        rows = table_of(Process)
        async with self._renewing:
            async with self._db.write() as session:
                raised = await session.execute(
                    update(rows).where(rows.c.id == self.process_id).values(beat=rows.c.beat + 1)
                )
            if rows_changed(raised):
                return True
            self.process_id = new_id()
            await self.start()
        for operator_id in list(self._sockets):
            await self._write(operator_id)
        return False

    async def bury(self) -> list[UUID]:
        """Ends the leases of processes whose beat stood still; the operators who are gone by it."""
        rows = table_of(Process)
        now = self._clock.monotonic()
        async with self._db.read() as session:
            beats = {row.id: row.beat for row in await session.execute(select(rows.c.id, rows.c.beat))}
        self._seen = {
            process_id: (beat, self._seen[process_id][1] if self._seen.get(process_id, (-1, 0))[0] == beat else now)
            for process_id, beat in beats.items()
        }
        gone: list[UUID] = []
        for process_id, (beat, since) in self._seen.items():
            if process_id == self.process_id or now - since < DEAD_SECONDS:
                continue
            async with self._db.write() as session:
                still = await session.execute(
                    select(rows.c.id).where(rows.c.id == process_id, rows.c.beat == beat).with_for_update()
                )
                if still.first() is not None:
                    gone += await _forget(session, process_id)
        for operator_id in gone:
            self._on_changed(operator_id)
        return gone

    async def _write(self, operator_id: UUID) -> None:
        rows, processes = table_of(Presence), table_of(Process)
        async with self._db.write() as session:
            # Process before operator, as `bury` locks them; it may have ended our lease a moment ago.
            lease = select(processes.c.id).where(processes.c.id == self.process_id)
            alive = (await session.execute(lease.with_for_update(read=True, key_share=True))).first() is not None
            if alive:
                # The operator's row is locked, so that `present` and the rows cannot part; only then is the number
                # read, since of two who write at once the last one must write what is true.
                await _lock(session, [operator_id])
                sockets = self._sockets.get(operator_id, 0)
                await session.execute(
                    delete(rows).where(rows.c.operator_id == operator_id, rows.c.process_id == self.process_id)
                )
                if sockets:
                    session.add(Presence(operator_id=operator_id, process_id=self.process_id, sockets=sockets))
                    await session.flush()
                await _mirror(session, operator_id)
        if not alive:
            await self.beat()
        self._on_changed(operator_id)


async def _forget(session: AsyncSession, process_id: UUID) -> list[UUID]:
    """Process first, then operators in the order of their ids: nobody who locks both can deadlock with another."""
    rows, processes = table_of(Presence), table_of(Process)
    await session.execute(select(processes.c.id).where(processes.c.id == process_id).with_for_update())
    here = select(rows.c.operator_id).where(rows.c.process_id == process_id)
    operators = sorted((await session.execute(here)).scalars())
    await _lock(session, operators)
    await session.execute(delete(rows).where(rows.c.process_id == process_id))
    for operator_id in operators:
        await _mirror(session, operator_id)
    await session.execute(delete(table_of(Process)).where(table_of(Process).c.id == process_id))
    return operators


async def _lock(session: AsyncSession, operators: Sequence[UUID]) -> None:
    rows = table_of(Operator)
    await session.execute(select(rows.c.id).where(rows.c.id.in_(operators)).order_by(rows.c.id).with_for_update())


async def _mirror(session: AsyncSession, operator_id: UUID) -> None:
    operators, rows = table_of(Operator), table_of(Presence)
    somewhere = exists(select(rows.c.operator_id).where(rows.c.operator_id == operator_id))
    await session.execute(update(operators).where(operators.c.id == operator_id).values(present=somewhere))


async def online_count(session: AsyncSession) -> int:
    operators = table_of(Operator)
    statement = select(func.count()).where(operators.c.present, operators.c.status == "online", operators.c.active)
    return int((await session.execute(statement)).scalar_one())
