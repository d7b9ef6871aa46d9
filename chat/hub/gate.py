"""When thousands come back at once: so many are let in each second, one after the other. Pure; `now` is a parameter.

Who can be let in within four seconds waits for it, which costs less than another try; the rest is told when to come
again. Those who go first never wait, and those behind them wait for them too.
"""

ROOM_SECONDS = 4.0
AT_ONCE_SECONDS = 0.2
"""After a rest so many come in at once as in this time one after the other."""


class Gate:
    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second
        self._next = float("-inf")
        """When the next one may come in."""

    def take(self, now: float, *, first: bool = False) -> float:
        """Seconds until it is this one's turn, 0 for at once. More than `ROOM_SECONDS`: it was given no turn and may
        try again then."""
        at = max(self._next, now - AT_ONCE_SECONDS)
        wait = 0.0 if first else max(0.0, at - now)
        if wait <= ROOM_SECONDS:
            self._next = at + self._step
        return wait
