"""A clock that moves only when told."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Both readings move together by `advance`; `set` moves the wall alone, as a corrected system clock does."""

    def __init__(self, now: datetime = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not go back; use set for the wall")
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a naive time")
        self._now = now
