"""Orders of operators that are carried out once, however often they are sent: a double click, a retry of the browser.

The row of the ref is the judge and is written first: of two at once one waits for the other, and finds its answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import table_of
from escalation.desk_tables import DeskRef

KEPT = timedelta(days=1)


async def claim(session: AsyncSession, operator_id: UUID, ref: str, now: datetime) -> str | None:
    """None for who is first; else what the first one was answered, empty while that is not known. To be called in a
    transaction that writes."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = table_of(DeskRef)
    await session.execute(delete(rows).where(rows.c.operator_id == operator_id, rows.c.at < now - KEPT))
    claimed = insert(rows).values(operator_id=operator_id, ref=ref, answer="", undo=[], at=now)
    won = await session.execute(claimed.on_conflict_do_nothing().returning(rows.c.ref))
    if won.first() is not None:
        return None
    found = await session.execute(select(rows.c.answer).where(rows.c.operator_id == operator_id, rows.c.ref == ref))
    return found.scalar_one_or_none() or ""


async def answered(
    session: AsyncSession, operator_id: UUID, ref: str, answer: str, undo: Sequence[dict[str, Any]] = ()
) -> None:
    rows = table_of(DeskRef)
    mine = (rows.c.operator_id == operator_id, rows.c.ref == ref)
    await session.execute(update(rows).where(*mine).values(answer=answer, undo=list(undo)))


async def undo_of(session: AsyncSession, operator_id: UUID, ref: str, since: datetime) -> list[dict[str, Any]]:
    """What it takes to go back, of an order that is not older than `since`. Given out once."""
    rows = table_of(DeskRef)
    mine = (rows.c.operator_id == operator_id, rows.c.ref == ref, rows.c.at >= since)
    found = (await session.execute(select(rows.c.undo).where(*mine).with_for_update())).scalar_one_or_none()
    await session.execute(update(rows).where(*mine).values(undo=[]))
    return list(found or [])
