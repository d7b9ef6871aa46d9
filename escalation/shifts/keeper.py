"""Keeps everybody's span of duty as the roster says, and hands over what people still have when theirs is over."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import and_, bindparam, exists, not_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import NOW, Duties, Operator, duty_of, on_duty
from escalation.actions import Tickets
from escalation.models import Ticket
from escalation.shifts.handover import HandOver
from escalation.shifts.store import rosters

ROUND_SECONDS = 5.0

log = structlog.get_logger(__name__)


class ShiftKeeper:
    """Any number may run: a span is written on the condition that the one before still stands, and what is handed
    over is judged by its own row."""

    def __init__(self, tickets: Tickets, duties: Duties, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._duties = duties
        self._hand_over = HandOver(tickets, duties, zone)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.round()
            except Exception:
                # Nobody is offered anything after the end that stands; the next round goes on from the rows.
                log.warning("the roster could not be looked at", exc_info=True)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> int:
        """Renews the spans that are over, then hands over; how many pieces of work changed hands."""
        now = self._tickets.clock.now()
        async with self._tickets.db.read() as session:
            renewed = list(await session.exec(_OVER, params={"now": now}))
            off = await _off_duty(session, now)
        if renewed:
            await self.renew(renewed)
            async with self._tickets.db.read() as session:
                off = await _off_duty(session, now)
        return sum([await self._hand_over.of(operator, now) for operator in off])

    async def renew(self, operators: Collection[UUID]) -> None:
        """Reads the roster of these people again: their span ended, or somebody changed the roster."""
        async with self._tickets.db.write() as session:
            changed = await renew(session, self._duties, operators, self._tickets.clock.now())
        for operator_id in changed:
            self._duties.changed(operator_id)

    async def renew_all(self) -> None:
        """After a change of shifts or of a calendar that they follow."""
        async with self._tickets.db.read() as session:
            everybody = list(await session.exec(select(Operator.id).where(col(Operator.active).is_(True))))
        await self.renew(everybody)


async def renew(session: AsyncSession, duties: Duties, operators: Collection[UUID], now: datetime) -> list[UUID]:
    """In the caller's transaction; whose span this call changed, of which `duties.changed` tells after the commit."""
    found = await rosters(session, operators, now)
    changed = []
    people = await session.exec(
        select(Operator)
        .where(col(Operator.id).in_(operators))
        .order_by(col(Operator.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for operator in people.all():
        duty = found[operator.id].duty(now)
        if duty != duty_of(operator) and await duties.set(session, operator, duty, now):
            changed.append(operator.id)
    return changed


async def _off_duty(session: AsyncSession, now: datetime) -> Sequence[Operator]:
    """Those who still have something, and who is no operator any more and has tickets: conversations of the latter
    go back by themselves."""
    return (await session.exec(_OFF, params={"now": now})).all()


_OVER = select(Operator.id).where(col(Operator.duty_until) <= bindparam("now"), col(Operator.active).is_(True))
_HAS_TICKETS = exists().where(col(Ticket.operator_id) == Operator.id, col(Ticket.open).is_(True))
_OFF = (
    select(Operator)
    .where(
        or_(
            and_(
                col(Operator.off_since).is_not(None),
                not_(on_duty(NOW)),
                or_(col(Operator.load) > 0, _HAS_TICKETS),
            ),
            and_(col(Operator.active).is_(False), _HAS_TICKETS),
        )
    )
    .order_by(col(Operator.id))
)
