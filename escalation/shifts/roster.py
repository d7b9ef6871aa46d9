"""When an operator is on duty: turns in shifts, joined where they overlap, minus absences. Pure; intervals in UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chat.public import Duty
from escalation.sla.calendars import FAR, Calendar, Interval, opened_on

BEHIND = timedelta(days=3)
"""So far back a shift may have opened that still lasts."""
AHEAD = timedelta(days=35)
"""Farther nobody looks: by then the roster is read again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A part of a roster: this shift, on the days from `first` to `last` on which it opens."""

    shift: Calendar
    first: date
    last: date | None = None

    def spans(self, begins: datetime, ends: datetime) -> list[Interval]:
        day = max(self.first, begins.astimezone(self.shift.zone).date())
        last = min(self.last or date.max, ends.astimezone(self.shift.zone).date())
        found: list[Interval] = []
        while day <= last:
            found += opened_on(self.shift, day)
            day += timedelta(days=1)
        return found


@dataclass(frozen=True, slots=True)
class Roster:
    """Of one operator. Without a turn nothing but absences keeps them off duty."""

    turns: Sequence[Turn] = ()
    absences: Sequence[Interval] = ()

    def duty(self, now: datetime) -> Duty:
        """The present span or the next; where none is in sight, an empty one at the end of what was looked at."""
        if not self.turns and not any(ends > now for _, ends in self.absences):
            return Duty()
        horizon = now + AHEAD
        for begins, ends in self._spans(now):
            if ends > now:
                return Duty(begins, ends)
        return Duty(horizon, horizon)

    def between(self, begins: datetime, ends: datetime) -> list[Interval]:
        """The spans of duty that touch it, whole. Of who stands in no shift: none, as nothing says when they work."""
        return [span for span in self._spans(begins) if span[0] < ends and span[1] > begins] if self.turns else []

    def _spans(self, now: datetime) -> list[Interval]:
        if self.turns:
            spans = joined([span for turn in self.turns for span in turn.spans(now - BEHIND, now + AHEAD)])
        else:
            spans = [(now - BEHIND, FAR)]
        return without(spans, joined(self.absences))


def joined(spans: Sequence[Interval]) -> list[Interval]:
    """In order; those that overlap or touch are one."""
    found: list[Interval] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def without(spans: Sequence[Interval], gaps: Sequence[Interval]) -> list[Interval]:
    """`spans` minus `gaps`, both in order and disjoint."""
    found: list[Interval] = []
    for begins, ends in spans:
        for gone, back in gaps:
            if back <= begins or gone >= ends:
                continue
            if gone > begins:
                found.append((begins, gone))
            begins = back  # noqa: PLW2901 — what is left of the span
        if begins < ends:
            found.append((begins, ends))
    return found
