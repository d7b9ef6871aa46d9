"""When a clock is due, when it is breached, and which step comes next. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalation.sla.calendars import Pause, due
from escalation.sla.policies import Alarm, Target

JUST_AFTER = timedelta(seconds=1)
"""The due is inclusive: a breach is known in the second after it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One alarm with its instant; `alarm.after` is its name within the clock."""

    alarm: Alarm
    at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    due_at: datetime | None
    breach_at: datetime | None
    steps: tuple[Step, ...]

    def next_at(self, fired: Collection[int], *, breached: bool) -> datetime | None:
        """Of the steps that did not happen yet, the breach among them."""
        times = [step.at for step in self.steps if step.alarm.after not in fired]
        if not breached and self.breach_at is not None:
            times.append(self.breach_at + JUST_AFTER)
        return min(times, default=None)

    def due_steps(self, fired: Collection[int], now: datetime) -> list[Step]:
        return [step for step in self.steps if step.at <= now and step.alarm.after not in fired]


def plan_of(target: Target, start: datetime, pauses: Sequence[Pause] = ()) -> Plan:
    due_at = due(target.calendar, start, target.target_seconds, pauses)
    breach_at = due(target.calendar, start, target.breach_seconds, pauses)
    steps = []
    for alarm in target.alarms:
        if alarm.after < 0:
            at = due_at + timedelta(seconds=alarm.after) if due_at is not None else None
        else:
            at = due(target.calendar, start, alarm.after, pauses)
        if at is not None:
            steps.append(Step(alarm, max(at, start)))
    return Plan(due_at, breach_at, tuple(sorted(steps, key=lambda step: step.at)))


def is_breached(breach_at: datetime | None, now: datetime) -> bool:
    """Not in the very second of it."""
    return breach_at is not None and now > breach_at
