"""Figures of conversations, operators and the outbox, read from rows by queries that touch only what is open."""

from collections.abc import Callable, Collection
from datetime import datetime

from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.metrics import names
from chat.metrics.families import Labels, gauge
from chat.outbox import OutboxRow
from chat.people.models import CANARY, Department, Operator

PRESENCE = ("online", "away", "absent")
UNFINISHED = ("waiting", "working", "dead")


class DeskFigures:
    """`await figures.read()`: the same in every process of a desk, so an alarm takes `max()` over them."""

    def __init__(self, db: Database, clock: Clock, outbox_kinds: Callable[[], Collection[str]]) -> None:
        self._db = db
        self._clock = clock
        self._outbox_kinds = outbox_kinds

    async def read(self) -> list[Metric]:
        now = self._clock.now()
        async with self._db.read() as session:
            return [
                *await _conversations(session, now),
                await _operators(session),
                *await self._outbox(session, now),
            ]

    async def _outbox(self, session: AsyncSession, now: datetime) -> list[Metric]:
        rows, kinds = table_of(OutboxRow).c, self._outbox_kinds()
        found = await session.execute(
            select(rows.kind, rows.state, func.count(), func.min(rows.created_at))
            .where(rows.state.in_(UNFINISHED))
            .group_by(rows.kind, rows.state)
        )
        numbers: dict[Labels, float] = {(kind, state): 0 for kind in kinds for state in UNFINISHED}
        lags: dict[Labels, float] = {(kind,): 0 for kind in kinds}
        for kind, state, count, oldest in found:
            known = kind if kind in kinds else "other"
            numbers[known, state] = numbers.get((known, state), 0) + count
            if state != "dead":
                lags[known,] = max(lags.get((known,), 0), (now - oldest).total_seconds())
        return [gauge(names.OUTBOX_ROWS, numbers), gauge(names.OUTBOX_LAG, lags)]


async def _conversations(session: AsyncSession, now: datetime) -> list[Metric]:
    rows, departments = table_of(Conversation).c, table_of(Department).c
    slugs = {row.id: row.slug for row in await session.execute(select(departments.id, departments.slug))}
    found = await session.execute(
        select(rows.state, rows.department_id, func.count(), func.min(rows.waiting_since))
        .where(rows.state.in_(("waiting", "offered", "active")))
        .group_by(rows.state, rows.department_id)
    )
    is_open = 0
    waiting: dict[Labels, float] = {(slug,): 0 for slug in slugs.values()}
    oldest: dict[Labels, float] = dict(waiting)
    for state, department, count, since in found:
        is_open += count
        if state != "active":
            slug = slugs[department]
            waiting[slug,] += count
            oldest[slug,] = max(oldest[slug,], (now - since).total_seconds() if since else 0)
    return [
        gauge(names.CONVERSATIONS_OPEN, {(): is_open}),
        gauge(names.QUEUE_WAITING, waiting),
        gauge(names.QUEUE_OLDEST, oldest),
    ]


async def _operators(session: AsyncSession) -> Metric:
    rows = table_of(Operator).c
    found = await session.execute(
        select(rows.present, rows.status, func.count())
        .where(rows.active, rows.role != CANARY)
        .group_by(rows.present, rows.status)
    )
    numbers: dict[Labels, float] = {(presence,): 0 for presence in PRESENCE}
    for present, status, count in found:
        presence = ("online" if status == "online" else "away") if present else "absent"
        numbers[presence,] += count
    return gauge(names.OPERATORS, numbers)
