"""Who is there: presence rows under the lease of a process that raises its beat.

No wall clock is compared: a process whose beat stood still for 25 s by *our* stopwatch is dead; its epoch is ended on
the condition that the beat is still the same, and its rows go with it. Each write carries the epoch of its process, so
one that slept and woke changes 0 rows: it takes a new epoch, and its clients are sent to connect again.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, delete, exists, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, UTCDateTime, rows_changed, table_of
from chat.ids import new_id
from chat.pairing.leases import BEAT_SECONDS, DEAD_SECONDS, LOOK_SECONDS, Still, Stopwatch
from chat.pairing.models import Presence, Process
from chat.people.models import Operator

NOW = bindparam("now", type_=UTCDateTime())

log = structlog.get_logger(__name__)


class PresenceBook:
    """One per process. `arrive` and `depart` count an operator's sockets here; `run` keeps the lease and watches those
    of others."""

    def __init__(self, db: Database, clock: Clock, on_changed: Callable[[UUID], None]) -> None:
        self._db = db
        self._clock = clock
        self._on_changed = on_changed
        self.process_id = new_id()
        """The epoch: a new one after each time that the lease was lost."""
        self.on_lost: list[Callable[[], None]] = []
        """Called when this process is, or must be taken for, dead to all others: its clients belong elsewhere."""
        self.on_ended: list[Callable[[set[UUID]], None]] = []
        """Called with epochs that have ended, whoever ended them."""
        self._alone = False
        self._sockets: dict[UUID, int] = {}
        self._unwritten: set[UUID] = set()
        self._lingering: list[tuple[float, UUID, float]] = []
        self._watch = Stopwatch()
        self._renewing = asyncio.Lock()
        self._beaten = self._tried = self._looked = clock.monotonic()
        self._is_lost = False

    async def start(self, *, alone: bool = False) -> None:
        """`alone`: there is no other process, so whatever lease there is belongs to a dead one."""
        self._alone = alone
        self._beaten = self._tried = self._looked = self._clock.monotonic()
        if alone:
            processes = table_of(Process)
            async with self._db.write() as session:
                for epoch in (await session.execute(select(processes.c.id).order_by(processes.c.id))).scalars().all():
                    await _forget(session, epoch, 0.0)
        await self._register()

    async def stop(self) -> None:
        """Takes this process's rows away at once, so that nobody is shown online who is not."""
        async with self._db.write() as session:
            gone = await _forget(session, self.process_id, 0.0)
        self._changed(gone)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.turn()
            except Exception:
                # The database is away or slow: the stopwatches know, and the next turn tries again.
                log.warning("presence could not be kept", exc_info=True)

    async def turn(self) -> None:
        """What is due: the beat, a look at the others, what could not be written, who has lingered long enough."""
        now = self._clock.monotonic()
        try:
            # Where nothing can be written, it shows whether that is over, although nobody says anything meanwhile.
            is_due = now - self._beaten >= BEAT_SECONDS or self._db.unwritten_seconds > 0
            if is_due and now - self._tried >= LOOK_SECONDS:
                self._tried = now
                await self.beat()
        finally:
            if not self._alone and self._clock.monotonic() - self._beaten >= DEAD_SECONDS:
                self._lost()  # the others have ended our lease, or will now: nobody here can be served
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            await self.bury()
        await self._settle(now)

    # ── who is here ──────────────────────────────────────────────────────────────────────────────────────────────

    async def arrive(self, operator_id: UUID) -> None:
        self._sockets[operator_id] = self._sockets.get(operator_id, 0) + 1
        await self._write(operator_id, 0.0)

    async def depart(self, operator_id: UUID, *, unheard: float = 0.0, lingers: float = 0.0) -> None:
        """`unheard`: seconds that nothing had come from them. `lingers`: seconds in which they are expected back, as
        between two polls; until then they count as present."""
        if lingers > 0:
            self._lingering.append((self._clock.monotonic() + lingers, operator_id, unheard + lingers))
            return
        left = self._sockets.get(operator_id, 0) - 1
        if left > 0:
            self._sockets[operator_id] = left
        else:
            self._sockets.pop(operator_id, None)
        await self._write(operator_id, unheard)

    async def _settle(self, now: float) -> None:
        due = [one for one in self._lingering if one[0] <= now]
        self._lingering = [one for one in self._lingering if one[0] > now]
        for _, operator_id, unheard in due:
            await self.depart(operator_id, unheard=unheard)
        for operator_id in list(self._unwritten):
            self._unwritten.discard(operator_id)
            await self._write(operator_id, 0.0)

    async def _write(self, operator_id: UUID, unheard: float) -> None:
        try:
            while (changed := await self._written(operator_id, unheard)) is None:
                await self.beat()
        except BaseException:
            self._unwritten.add(operator_id)  # while the process lives no lease ends what is wrong now: written later
            raise
        if changed:
            self._on_changed(operator_id)

    async def _written(self, operator_id: UUID, unheard: float) -> bool | None:
        """Whether `present` has changed; None when the lease is over."""
        rows, processes = table_of(Presence), table_of(Process)
        async with self._db.write() as session:
            # Process before operator, as `bury` locks them; it may have ended our lease a moment ago.
            epoch = self.process_id
            lease = select(processes.c.id).where(processes.c.id == epoch)
            if (await session.execute(lease.with_for_update(read=True, key_share=True))).first() is None:
                return None
            # The operator's row is locked, so that `present` and the rows cannot part; only then is the number
            # read, since of two who write at once the last one must write what is true.
            await _lock(session, [operator_id])
            sockets = self._sockets.get(operator_id, 0)
            await session.execute(delete(rows).where(rows.c.operator_id == operator_id, rows.c.process_id == epoch))
            if not sockets:
                return bool(await _absent(session, [operator_id], unheard))
            session.add(Presence(operator_id=operator_id, process_id=epoch, sockets=sockets))
            await session.flush()
            operators = table_of(Operator)
            raised = await session.execute(
                update(operators)
                .where(operators.c.id == operator_id, operators.c.present.is_(False))
                .values(present=True, unheard=0.0)
            )
            return bool(rows_changed(raised))

    # ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def beat(self) -> bool:
        """Raises the beat; False when this process was declared dead meanwhile: it has a new epoch then, under which
        nobody is present, and its clients are told to come again."""
        rows = table_of(Process)
        async with self._renewing:
            async with self._db.write() as session:
                raised = await session.execute(
                    update(rows).where(rows.c.id == self.process_id).values(beat=rows.c.beat + 1)
                )
            if alive := bool(rows_changed(raised)):
                self._is_lost = False
            else:
                self._lost()
                log.warning("the lease of this process had ended")
                self.process_id = new_id()
                await self._register()
            self._beaten = self._clock.monotonic()
        return alive

    async def bury(self) -> list[UUID]:
        """Ends the leases of processes whose beat stood still; the operators who are gone by it."""
        rows = table_of(Process)
        now = self._clock.monotonic()
        async with self._db.read() as session:
            beats = {row.id: row.beat for row in await session.execute(select(rows.c.id, rows.c.beat))}
        ended = self._watch.look(beats, now)
        gone: list[UUID] = []
        for still in self._watch.dead(self.process_id, now):
            gone += await self._end(still)
            ended.add(still.epoch)
        self._changed(gone)
        if ended:
            for callback in self.on_ended:
                callback(ended)
        return gone

    async def _end(self, still: Still) -> list[UUID]:
        rows = table_of(Process)
        async with self._db.write() as session:
            condition = (rows.c.id == still.epoch, rows.c.beat == still.beat)
            if (await session.execute(select(rows.c.id).where(*condition).with_for_update())).first() is None:
                return []  # it lives, or another process was faster
            return await _forget(session, still.epoch, still.seconds)

    async def _register(self) -> None:
        async with self._db.write() as session:
            session.add(Process(id=self.process_id, beat=0, started_at=self._clock.now()))
        self._is_lost = False

    def _lost(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            for callback in self.on_lost:
                callback()

    def _changed(self, operators: Sequence[UUID]) -> None:
        for operator_id in operators:
            self._on_changed(operator_id)


async def _forget(session: AsyncSession, epoch: UUID, unheard: float) -> list[UUID]:
    """Process first, then operators in the order of their ids: nobody who locks both can deadlock with another."""
    rows, processes = table_of(Presence), table_of(Process)
    await session.execute(select(processes.c.id).where(processes.c.id == epoch).with_for_update())
    here = select(rows.c.operator_id).where(rows.c.process_id == epoch)
    operators = sorted((await session.execute(here)).scalars())
    await _lock(session, operators)
    await session.execute(delete(rows).where(rows.c.process_id == epoch))
    gone = await _absent(session, operators, unheard)
    await session.execute(delete(processes).where(processes.c.id == epoch))
    return gone


async def _lock(session: AsyncSession, operators: Sequence[UUID]) -> None:
    rows = table_of(Operator)
    await session.execute(select(rows.c.id).where(rows.c.id.in_(operators)).order_by(rows.c.id).with_for_update())


async def _absent(session: AsyncSession, operators: Sequence[UUID], unheard: float) -> list[UUID]:
    """Those of them, locked by the caller, who are nowhere any more."""
    people, rows = table_of(Operator), table_of(Presence)
    somewhere = exists(select(rows.c.operator_id).where(rows.c.operator_id == people.c.id))
    fallen = await session.execute(
        update(people)
        .where(people.c.id.in_(operators), people.c.present, ~somewhere)
        .values(present=False, unheard=unheard)
        .returning(people.c.id)
    )
    return sorted(fallen.scalars())


def is_online(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Of an operator: there, answering, and on duty."""
    operators = table_of(Operator)
    return and_(operators.c.present, operators.c.status == "online", operators.c.active, on_duty(now))


def on_duty(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Of an operator: no roster says that they are off. `now`: also `NOW`, in a statement that is kept."""
    operators = table_of(Operator)
    return or_(operators.c.duty_until.is_(None), and_(operators.c.duty_from <= now, operators.c.duty_until > now))


async def online_count(session: AsyncSession, now: datetime) -> int:
    statement = select(func.count()).select_from(table_of(Operator)).where(is_online(now))
    return int((await session.execute(statement)).scalar_one())
