"""When thousands come back at once: so many are let in each second, one after the other. Pure; `now` is a parameter.

Who can be let in within four seconds waits for it, which costs less than another try; the rest is told when to come
again. Those who go first never wait, and those behind them wait for them too. A process that is late with everything
lets nobody else in until it has caught up: it would only greet people who have given up.
"""

from collections.abc import Callable

ROOM_SECONDS = 4.0
AT_ONCE_SECONDS = 0.2
"""After a rest so many come in at once as in this time one after the other."""
LATE_SECONDS = 0.5


class Gate:
    def __init__(self, per_second: float, lateness: Callable[[], float] = lambda: 0.0) -> None:
        """`lateness`: seconds by which this process is behind its own clock, or its database behind it."""
        self._step = 1 / per_second
        self._lateness = lateness
        self._next = float("-inf")
        """When the next one may come in."""

    def take(self, now: float, *, first: bool = False) -> float:
        """Seconds until it is this one's turn, 0 for at once. More than `ROOM_SECONDS`: it was given no turn and may
        try again then."""
        if not first and self.is_late:
            return 2 * ROOM_SECONDS
        at = max(self._next, now - AT_ONCE_SECONDS)
        wait = 0.0 if first else max(0.0, at - now)
        if wait <= ROOM_SECONDS:
            self._next = at + self._step
        return wait

    @property
    def is_late(self) -> bool:
        return self._lateness() > LATE_SECONDS
