"""When thousands come back at once: so many are let in each second, one after the other. Pure; `now` is a parameter.

Who can be let in within four seconds waits for it, which costs less than another try; the rest is told when to come
again. Those who go first never wait, and those behind them wait for them too. A process that is late with everything
lets hardly anybody else in until it has caught up: it would only greet people who have given up.
"""

from collections.abc import Callable
from math import inf

ROOM_SECONDS = 4.0
AT_ONCE_SECONDS = 0.2
"""After a rest so many come in at once as in this time one after the other."""
LATE_SECONDS = 0.5
LATE_STEP_SECONDS = 1.0
"""One is let in all the same after so long: what is late for good must not shut everybody out for good."""


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
        """When a place was given last to one who does not go first."""

    def take(self, now: float, *, first: bool = False) -> float:
        """Seconds until it is this one's turn, 0 for at once. More than `ROOM_SECONDS`: it was given no turn and may
        try again then."""
        at = max(self._next, now - AT_ONCE_SECONDS)
        if first:
            # Every second place at most: a crowd of them, or of strangers at their door, must leave some to the others.
            if self._first <= now:
                self._first = max(self._first, now - AT_ONCE_SECONDS) + 2 * self._step
                self._next = at + self._step
            return 0.0
        lateness = self._lateness()
        if lateness == inf or (lateness > LATE_SECONDS and now - self._taken < LATE_STEP_SECONDS):
            return 2 * ROOM_SECONDS
        wait = max(0.0, at - now)
        if wait <= ROOM_SECONDS:
            self._next, self._taken = at + self._step, now
        return wait

    @property
    def is_late(self) -> bool:
        return self._lateness() > LATE_SECONDS
