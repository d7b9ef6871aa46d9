"""One time of day for all processes of a desk: that of their database.

Clocks of machines are minutes apart, or are set. Who came first, whether a pass is still good and how long an answer
took are told from times that several processes wrote, so none of them may go by its own.
"""

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select

from chat.clock import Clock, SystemClock
from chat.db import Database

LOOK_SECONDS = 10.0

log = structlog.get_logger(__name__)


async def clock_of(db: Database) -> Clock:
    """For a short program: nothing is corrected later."""
    if db.is_sqlite:
        return SystemClock()
    clock = SharedClock(db, SystemClock())
    await clock.look()
    return clock


class SharedClock:
    """The database's time of day at the last `look`, carried on by our own stopwatch: nobody who sets the clock of
    this machine moves it. Before the first look it is the machine's."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._anchor: tuple[datetime, float] | None = None
        """A time of day, and the reading of the stopwatch at that moment."""

    def now(self) -> datetime:
        return self._at(self._clock.monotonic())

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def look(self) -> None:
        """What the database said lies between our question and its answer: a time of ours that lies there too is as
        good, and stays."""
        async with self._db.read() as session:
            await session.connection()  # else the way to a free connection would count as time
            asked = self._clock.monotonic()
            theirs: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
            answered = self._clock.monotonic()
        if self._anchor is None or not self._at(asked) <= theirs <= self._at(answered):
            self._anchor = (theirs, (asked + answered) / 2)

    async def run(self) -> None:
        """Stopwatches drift, and stand still while a machine sleeps."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception as error:
                # The database is away: the stopwatch goes on.
                log.warning("the time of the database could not be read", error=type(error).__name__)

    def _at(self, reading: float) -> datetime:
        if self._anchor is None:
            return self._clock.now()
        time, since = self._anchor
        return time + timedelta(seconds=reading - since)
