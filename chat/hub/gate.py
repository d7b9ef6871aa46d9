"""When thousands come back at once: so many are let in each second, one after the other. Pure; `now` is a parameter.

Who can be let in within four seconds waits for it, which costs less than another try; the rest is told when to come
again. Those who go first never wait, and those behind them wait for them too. A process that is late with everything
lets one in each second until it has caught up, and has a crowd come again: it would only greet people who have given
up.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

ROOM_SECONDS = 4.0
AT_ONCE_SECONDS = 0.2
"""After a rest so many come in at once as in this time one after the other."""
LATE_SECONDS = 0.5
LATE_STEP_SECONDS = 1.0
"""One is let in all the same after so long, and the few who come one by one wait for it: a restart on a busy machine is
no reason to be refused, and what is late for good must not shut everybody out for good."""


class Turn(NamedTuple):
    wait: float
    """Seconds, 0 for at once. More than `ROOM_SECONDS`: no turn was given, and this one may try again then."""
    in_spite: bool = False
    """Given by a process that knew that it was late: kept if it is late still, and come before if it has caught up."""


class Gate:
    def __init__(self, per_second: float, lateness: Callable[[], float] = lambda: 0.0) -> None:
        """`lateness`: seconds by which this process is behind its own clock, or its database behind it; without end for
        one that wants nobody."""
        self._step = 1 / per_second
        self._lateness = lateness
        self._next = float("-inf")
        """When the next one may come in."""
        self._first = float("-inf")
        """When one of those who go first costs the others a place again."""
        self._taken = float("-inf")
        """When one who does not go first has the last place that was given."""

    def take(self, now: float, *, first: bool = False) -> Turn:
        at = max(self._next, now - AT_ONCE_SECONDS)
        if first:
            # Every second place at most: a crowd of them, or of strangers at their door, must leave some to the others.
            if self._first <= now:
                self._first = max(self._first, now - AT_ONCE_SECONDS) + 2 * self._step
                self._next = at + self._step
            return Turn(0.0)
        lateness = self._lateness()
        if lateness == inf:
            return Turn(2 * ROOM_SECONDS)
        if lateness > LATE_SECONDS:
            return self._take_late(now, at)
        wait = max(0.0, at - now)
        if wait <= ROOM_SECONDS:
            self._next, self._taken = at + self._step, max(self._taken, at, now)
        return Turn(wait)

    def _take_late(self, now: float, at: float) -> Turn:
        at = max(at, self._taken + LATE_STEP_SECONDS, now)
        if at - now > ROOM_SECONDS:
            return Turn(2 * ROOM_SECONDS)
        # Who comes when it has caught up does not wait for those who were given a second each.
        self._next, self._taken = max(self._next, now) + self._step, at
        return Turn(at - now, in_spite=True)

    @property
    def is_late(self) -> bool:
        return self._lateness() > LATE_SECONDS
