"""Orders of operators that are carried out once, however often they are sent: a double click, a retry of the browser,
and once more after the process that began one was killed.

The row of the ref is the judge and is written first. Each step of an order is noted in it in the transaction of the
step, so whoever takes up an order that was interrupted knows what is done, and no step is done twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import Database, insert_for, rows_changed, table_of
from escalation.desk_tables import DeskRef

KEPT = timedelta(days=1)
Way = dict[str, Any]
"""What it takes to go back from one step, as JSON; `ticket` says whose it is."""
_rows = table_of(DeskRef)


class Answered(Exception):
    """Somebody else with the same ref was first: what this one was about to do is not done."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one operator sent under one ref."""

    db: Database
    operator_id: UUID
    ref: str

    async def begin(self, now: datetime) -> str:
        """What it was answered; empty while that is not known: then it is to be carried out, or to its end."""
        async with self.db.write() as session:
            await session.execute(delete(_rows).where(_rows.c.operator_id == self.operator_id, _rows.c.at < now - KEPT))
            row = {"operator_id": self.operator_id, "ref": self.ref, "answer": "", "undo": [], "at": now}
            await session.execute(insert_for(session)(_rows).values(**row).on_conflict_do_nothing())
            return str((await session.execute(select(_rows.c.answer).where(*self._mine()))).scalar_one())

    async def lead(self, session: AsyncSession, answer: str) -> None:
        """In the transaction of an order of one step. Raises Answered, which undoes the step."""
        unanswered = update(_rows).where(*self._mine(), _rows.c.answer == "")
        if not rows_changed(await session.execute(unanswered.values(answer=answer))):
            raise Answered

    async def end(self, answer: str, now: datetime) -> str:
        """The answer from now on: the first one counts. From here the time runs in which it can be taken back."""
        async with self.db.write() as session:
            unanswered = update(_rows).where(*self._mine(), _rows.c.answer == "")
            await session.execute(unanswered.values(answer=answer, at=now))
            return str((await session.execute(select(_rows.c.answer).where(*self._mine()))).scalar_one())

    async def done(self, since: datetime | None = None) -> list[Way]:
        """Its steps, of an order that is not older than `since`."""
        within = [_rows.c.at >= since] if since is not None else []
        async with self.db.read() as session:
            found = await session.execute(select(_rows.c.undo).where(*self._mine(), *within))
            return list(found.scalar_one_or_none() or [])

    async def note(self, session: AsyncSession, way: Way) -> None:
        """In the transaction of a step."""
        await self._write(session, [*await self._locked(session), way])

    async def drop(self, session: AsyncSession, way: Way) -> None:
        """In the transaction that takes a step back."""
        await self._write(session, [one for one in await self._locked(session) if one["ticket"] != way["ticket"]])

    async def _locked(self, session: AsyncSession) -> list[Way]:
        found = await session.execute(select(_rows.c.undo).where(*self._mine()).with_for_update())
        return list(found.scalar_one_or_none() or [])

    async def _write(self, session: AsyncSession, ways: Sequence[Way]) -> None:
        await session.execute(update(_rows).where(*self._mine()).values(undo=list(ways)))

    def _mine(self) -> tuple[Any, Any]:
        return _rows.c.operator_id == self.operator_id, _rows.c.ref == self.ref
