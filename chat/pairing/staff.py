"""Who is there and how fast answers came: what the first screen of the widget says. Measured, not promised."""

import asyncio
from statistics import quantiles

from sqlalchemy import func, select

from chat.clock import Clock
from chat.conversations import store
from chat.db import Database, table_of
from chat.pairing.presence import is_online
from chat.people.models import Operator
from chat.protocol.frames import Staff

ENOUGH = 20
NAMES = 3
PEOPLE_SECONDS = 2.0
REPLIES_SECONDS = 60.0
"""Half of the last thirty days' answers do not change their median within a minute."""


class StaffBoard:
    """`await board.now()` is cheap: people are read again after `changed` or when 2 s old, times of replies every
    minute."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._staff: Staff | None = None
        self._read_at = 0.0
        self._replies: tuple[float | None, float | None] = (None, None)
        self._replies_at = float("-inf")
        self._changes = 0
        self._reading = asyncio.Lock()

    def changed(self) -> None:
        self._changes += 1
        self._staff = None

    async def now(self) -> Staff:
        async with self._reading:
            at = self._clock.monotonic()
            if self._staff is not None and at - self._read_at <= PEOPLE_SECONDS:
                return self._staff
            changes = self._changes
            staff = await self._read(at)
            if changes == self._changes:  # else it is old already, and only good for who asked before
                self._staff, self._read_at = staff, at
            return staff

    async def _read(self, at: float) -> Staff:
        operators = table_of(Operator)
        async with self._db.read() as session:
            found = await session.execute(
                select(operators.c.name, func.count().over())
                .where(is_online(self._clock.now()))
                .order_by(operators.c.name)
                .limit(NAMES)
            )
            people = found.all()
            if at - self._replies_at >= REPLIES_SECONDS:
                self._replies = _percentiles(await store.reply_seconds(session, self._clock.now()))
                self._replies_at = at
        p50, p90 = self._replies
        return Staff(
            online=people[0][1] if people else 0,
            names=[name.split()[0] for name, _ in people if name],
            reply_p50=p50,
            reply_p90=p90,
        )


def _percentiles(seconds: list[float]) -> tuple[float | None, float | None]:
    if len(seconds) < ENOUGH:
        return None, None
    cuts = quantiles(seconds, n=10, method="inclusive")
    return round(cuts[4], 1), round(cuts[8], 1)
