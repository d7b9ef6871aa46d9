"""Token bucket: how fast one client may speak. Pure; `now` is a parameter."""

from dataclasses import dataclass

from chat.protocol.errors import TooFast


@dataclass(slots=True)
class Pace:
    """`burst` at once, then `per_second`."""

    burst: float
    per_second: float
    tokens: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> float:
        """0 when allowed; else the seconds to wait."""
        if self.tokens < 0:
            self.tokens, self.at = self.burst, now
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_second

    def give_back(self) -> None:
        """What was taken last is not counted after all."""
        self.tokens = min(self.burst, self.tokens + 1)

    def require(self, now: float) -> None:
        """Raises `TooFast` with the time to wait."""
        if wait := self.take(now):
            raise TooFast(retry_after=round(wait, 1))
