"""What a clock carries of its alarms as long as it runs: an index finds by it whom they concern, however many clocks
have run before."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from escalation.models import SlaClock, SlaEvent


def rung(clock: SlaClock, kind: str, n: int, data: dict[str, Any], at: datetime) -> SlaEvent:
    """The event of an alarm or a breach, marked on its clock."""
    _mark(clock, data, at)
    return SlaEvent(id=new_id(), clock_id=clock.id, type=kind, n=n, data=data, at=at)


async def ring_again(session: AsyncSession, clock: SlaClock) -> None:
    """It runs on after it was cancelled by mistake: marked as its events say."""
    rang = select(SlaEvent).where(SlaEvent.clock_id == clock.id, col(SlaEvent.type).in_(("alarm", "breached")))
    for one in await session.exec(rang.order_by(col(SlaEvent.at), col(SlaEvent.id))):
        _mark(clock, one.data, one.at)


def _mark(clock: SlaClock, data: dict[str, Any], at: datetime) -> None:
    """The newest last."""
    clock.alarmed_at = at
    if data.get("step") == "offer" and "operator" in data:
        clock.offered_to = UUID(data["operator"])
    if "absent" in data:
        clock.absent_at = at


@event.listens_for(SlaClock, "before_update")
def _silence(_mapper: Any, _connection: Any, clock: SlaClock) -> None:
    """Whatever ended it, it concerns nobody any more."""
    if clock.state != "running" and clock.alarmed_at is not None:
        clock.alarmed_at = clock.offered_to = clock.absent_at = None
