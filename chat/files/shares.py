"""Who sends files, and how much of the disk and of the checks they may take. The rows are counted under a lock: whoever
begins twenty at once gets no more than who begins one after the other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, text
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import table_of
from chat.files.errors import QuotaReached, TooManyAtOnce
from chat.files.limits import PER_DAY, PER_HOUR, POOL_DAILY, TRIES_PER_HOUR, UNDER_WAY, UNDER_WAY_FOR
from chat.files.models import CHECKING, RECEIVING, REFUSED, File

_FILE = table_of(File).c
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who sends files. `pool`: with whom their daily share is counted together."""

    kind: str
    id: UUID
    daily: int
    pool: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


async def require_begin(session: AsyncSession, owner: Owner, size: int, now: datetime) -> None:
    """In the transaction that adds the row. Raises QuotaReached and TooManyAtOnce."""
    await require_share(session, owner, size, now)
    lately = (_FILE.owner == owner.key, _FILE.created_at > now - PER_HOUR)
    if await _number(session, select(func.count()).where(*lately)) >= TRIES_PER_HOUR:
        raise TooManyAtOnce(retry_after=60)
    is_open = or_(_is_coming(now), _FILE.state == CHECKING)
    if await _number(session, select(func.count()).where(_FILE.owner == owner.key, is_open)) >= UNDER_WAY:
        raise TooManyAtOnce(retry_after=5)


async def require_share(session: AsyncSession, owner: Owner, size: int, now: datetime) -> None:
    """In the transaction that takes so many bytes more. Raises QuotaReached."""
    counted = func.coalesce(func.sum(_bytes(now)), 0)
    for key, most, column in ((owner.key, owner.daily, _FILE.owner), (owner.pool, POOL_DAILY, _FILE.pool)):
        if not key:
            continue
        if session.get_bind().dialect.name != "sqlite":  # where one writes at a time
            # Always the owner first: nobody waits for each other in a circle.
            await session.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"file {key}"}
            )
        taken = select(counted).where(column == key, _FILE.created_at > now - PER_DAY)
        if await _number(session, taken) + size > most:
            raise QuotaReached


def _is_coming(now: datetime) -> ColumnElement[bool]:
    """Its place is kept while it moves."""
    return and_(_FILE.state == RECEIVING, _FILE.touched_at > now - UNDER_WAY_FOR)


def _bytes(now: datetime) -> ColumnElement[int]:
    """What was only announced counts while it may still come; what came counts whatever became of it."""
    return case(
        (_is_coming(now), _FILE.size),
        (_FILE.state.in_((RECEIVING, REFUSED)), _FILE.received),
        (_FILE.received > _FILE.size, _FILE.received),
        else_=_FILE.size,
    )


async def _number(session: AsyncSession, query: Select[Any]) -> int:
    return int((await session.execute(query)).scalar_one())
