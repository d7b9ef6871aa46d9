"""Who is there and how fast answers came: what the first screen of the widget says. Measured, not promised (S24)."""

import asyncio
from statistics import quantiles

from sqlalchemy import select

from chat.clock import Clock
from chat.conversations import store
from chat.db import Database, table_of
from chat.people.models import Operator
from chat.protocol.frames import Staff

ENOUGH = 20
FRESH_SECONDS = 30.0


class StaffBoard:
    """`await board.now()` is cheap: read again only after `changed` or when 30 s old."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._staff: Staff | None = None
        self._read_at = 0.0
        self._changes = 0
        self._reading = asyncio.Lock()

    def changed(self) -> None:
        self._changes += 1
        self._staff = None

    async def now(self) -> Staff:
        async with self._reading:
            at = self._clock.monotonic()
            if self._staff is not None and at - self._read_at <= FRESH_SECONDS:
                return self._staff
            changes = self._changes
            staff = await self._read()
            if changes == self._changes:  # else it is old already, and only good for who asked before
                self._staff, self._read_at = staff, at
            return staff

    async def _read(self) -> Staff:
        operators = table_of(Operator)
        async with self._db.read() as session:
            found = await session.execute(
                select(operators.c.name)
                .where(operators.c.present, operators.c.status == "online", operators.c.active)
                .order_by(operators.c.name)
            )
            names = list(found.scalars())
            seconds = await store.reply_seconds(session, self._clock.now())
        p50: float | None = None
        p90: float | None = None
        if len(seconds) >= ENOUGH:
            cuts = quantiles(seconds, n=10, method="inclusive")
            p50, p90 = round(cuts[4], 1), round(cuts[8], 1)
        return Staff(
            online=len(names), names=[name.split()[0] for name in names[:3] if name], reply_p50=p50, reply_p90=p90
        )
