"""What a clock carries of its alarms as long as it runs: an index finds by it whom they concern, however many clocks
have run before."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import event

from chat.ids import new_id
from escalation.models import SlaClock, SlaEvent


def rung(clock: SlaClock, kind: str, n: int, data: dict[str, Any], at: datetime) -> SlaEvent:
    """The event of an alarm or a breach, marked on its clock."""
    clock.alarmed_at = at
    if data.get("step") == "offer" and "operator" in data:
        clock.offered_to = UUID(data["operator"])
    if "absent" in data:
        clock.absent_at = at
    return SlaEvent(id=new_id(), clock_id=clock.id, type=kind, n=n, data=data, at=at)


@event.listens_for(SlaClock, "before_update")
def _silence(_mapper: Any, _connection: Any, clock: SlaClock) -> None:
    """Whatever ended it, it concerns nobody any more."""
    if clock.state != "running" and clock.alarmed_at is not None:
        clock.alarmed_at = clock.offered_to = clock.absent_at = None
