"""Takes away what nobody will look at again: finished outbox rows, secrets that are over, sign-ins that ended.

In small batches, each a transaction of its own, so that no message waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Table, delete, or_, select

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.outbox import OutboxRow
from chat.people.models import LoginSession, OneTimeSecret

ROUND_SECONDS = 60.0
ROUNDS_BETWEEN = 60
"""Rows are looked for every hour, the log of SQLite every minute."""
BATCH = 200
OUTBOX_KEPT = timedelta(days=30)
"""A row that is done also keeps the same fact from being told twice."""
SECRETS_KEPT = timedelta(days=1)
LOGINS_KEPT = timedelta(days=30)

log = structlog.get_logger(__name__)


class Housekeeping:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self.others: list[Callable[[], Awaitable[int]]] = []
        """What else is tidied every hour: how many went."""

    async def run(self) -> None:
        """Until cancelled. Any number may run."""
        rounds = 0
        while True:
            try:
                await self._db.tidy()
                if rounds % ROUNDS_BETWEEN == 0:
                    await self.clean()
                    for clean in self.others:
                        await clean()
            except Exception as error:
                # What is left lies there until the next round.
                log.warning("housekeeping failed", error=type(error).__name__)
            rounds += 1
            await asyncio.sleep(ROUND_SECONDS)

    async def copy_log(self) -> None:
        """Until cancelled; for SQLite only."""
        while True:
            try:
                await self._db.copy_log()
            except Exception as error:
                # The writer does it then, a little later and with everybody waiting.
                log.warning("the log was not copied", error=type(error).__name__)

    async def clean(self) -> int:
        """How many rows went."""
        now = self._clock.now()
        return sum([await self._delete(table, over) for table, over in _over(now)])

    async def _delete(self, table: Table, over: ColumnElement[bool]) -> int:
        (key,) = table.primary_key.columns
        count = 0
        while True:
            async with self._db.write() as session:
                found: list[Any] = list((await session.execute(select(key).where(over).limit(BATCH))).scalars())
                # Asked again: somebody may have used it in between.
                gone = await session.execute(delete(table).where(key.in_(found), over))
            count += rows_changed(gone)
            if len(found) < BATCH:
                return count
            await asyncio.sleep(0)  # others write between two batches


def _over(now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    """In this order: secrets point at sign-ins."""
    outbox, secrets, logins = table_of(OutboxRow), table_of(OneTimeSecret), table_of(LoginSession)
    pointing = select(secrets.c.login_session_id).where(secrets.c.login_session_id == logins.c.id)
    ended = or_(logins.c.ended_at < now - LOGINS_KEPT, logins.c.expires_at < now - LOGINS_KEPT)
    return [
        (outbox, (outbox.c.state == "done") & (outbox.c.next_at < now - OUTBOX_KEPT)),
        (secrets, secrets.c.expires_at < now - SECRETS_KEPT),
        (logins, ended & ~pointing.exists()),
    ]
