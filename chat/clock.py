"""The only place that reads the time. Everything else takes a `Clock`: this one, or `SharedClock` where several
processes share a database."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two readings: the wall for people, the stopwatch for leases and limits.

    Leases never compare wall clocks of two machines, which may be minutes apart, so both are needed.
    """

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
