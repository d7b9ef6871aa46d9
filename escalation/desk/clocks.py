"""The clocks of a ticket as its page shows them, and the time an operator names for the next update. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from chat.strings import Catalogue
from escalation.errors import TimeUnclear
from escalation.sla.calendars import instant
from escalation.sla.policies import FIRST_REPLY, NEXT_REPLY, SOLVE
from escalation.store import OperatorsTicket

_TIME = re.compile(r"(\d{1,2})[:.](\d{2})")


@dataclass(frozen=True, slots=True)
class ShownClock:
    """`kind`: running, paused, met or late. `asks`: it was breached and nobody has said why."""

    id: UUID
    label: str
    kind: str
    due_at: datetime | None
    met_at: datetime | None
    seconds: int
    breached: bool
    reason: str

    @property
    def asks(self) -> bool:
        return self.breached and not self.reason


def clocks_of(found: OperatorsTicket, c: Catalogue) -> Sequence[ShownClock]:
    """Those that run, the first reply, and all that were breached."""
    shown = []
    for clock in found.clocks:
        if clock.metric == SOLVE:
            continue  # a figure of the company's own, no promise
        running = clock.state == "running"
        if not (running or clock.metric == FIRST_REPLY or clock.breached_at is not None):
            continue
        late = not running and clock.due_at is not None and clock.met_at is not None and clock.met_at > clock.due_at
        kind = ("running" if clock.due_at else "paused") if running else "late" if late else "met"
        shown.append(
            ShownClock(
                clock.id,
                _label(clock.metric, c),
                kind,
                clock.due_at,
                clock.met_at,
                clock.elapsed_seconds or 0,
                clock.breached_at is not None,
                clock.reason,
            )
        )
    return shown


def next_time(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant at which the wall shows "14:30". Raises TimeUnclear."""
    found = _TIME.fullmatch(text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise TimeUnclear
    minutes = int(found[1]) * 60 + int(found[2])
    today = now.astimezone(zone).date()
    for day in (today, today + timedelta(days=1)):
        for last in (False, True):
            at = instant(day, minutes, zone, last=last)
            if now < at <= now + timedelta(days=1):
                return at
    raise TimeUnclear


def _label(metric: str, c: Catalogue) -> str:
    match metric:
        case _ if metric == FIRST_REPLY:
            return c.gettext("First reply")
        case _ if metric == NEXT_REPLY:
            return c.gettext("Next reply")
        case _:
            return c.gettext("Next update")
