"""When thousands come back at once: so many are let in each second, one after the other. Pure; `now` is a parameter.

Who can be let in within four seconds waits for it, which costs less than another try; the rest is told when to come
again. Those who go first never wait, and those behind them wait for them too.

A process that is late with everything has a line at its door: a few wait until it has caught up, as in a restart on a
busy machine, and one of them is let in each second all the same. A crowd comes again: it would only be greeted when it
has given up.
"""

from collections.abc import Callable
from math import inf

ROOM_SECONDS = 4.0
AT_ONCE_SECONDS = 0.2
"""After a rest so many come in at once as in this time one after the other."""
LATE_SECONDS = 0.5
LATE_STEP_SECONDS = 1.0
"""What is late for good must not shut everybody out for good."""
PLACES = 16
PLACES_PER_ADDRESS = 8


class Line:
    """Those who wait at a process that is late, in the order in which they came."""

    def __init__(self) -> None:
        self._places: dict[object, str] = {}
        self._called = float("-inf")
        """When one was let in though it was late."""

    def join(self, guest: object, address: str) -> bool:
        """False: there is no place, or this address has enough of them. `leave` gives it back."""
        if len(self._places) >= PLACES or sum(one == address for one in self._places.values()) >= PLACES_PER_ADDRESS:
            return False
        self._places[guest] = address
        return True

    def call(self, guest: object, now: float) -> bool:
        """Whether it is this one's turn, which it has then had."""
        if next(iter(self._places)) is not guest or now - self._called < LATE_STEP_SECONDS:
            return False
        self._called = now
        return True

    def leave(self, guest: object) -> None:
        self._places.pop(guest, None)


class Gate:
    """For all doors of a process."""

    def __init__(self, per_second: float, lateness: Callable[[], float] = lambda: 0.0) -> None:
        """`lateness`: seconds by which this process is behind its own clock, or its database behind it; without end for
        one that wants nobody."""
        self.line = Line()
        self._step = 1 / per_second
        self._lateness = lateness
        self._next = float("-inf")
        """When the next one may come in."""
        self._first = float("-inf")
        """When one of those who go first costs the others a place again."""

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
        wait = max(0.0, at - now)
        if wait <= ROOM_SECONDS:
            self._next = at + self._step
        return wait

    @property
    def wants_nobody(self) -> bool:
        return self._lateness() == inf

    @property
    def is_late(self) -> bool:
        return self._lateness() > LATE_SECONDS
