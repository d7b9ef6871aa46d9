"""The numbers of batches, as their hearer keeps them: what comes again, and what never came. Pure."""

REMEMBERED = 10_000
"""Senders' last numbers, that of the departed too: what they said cannot be said again."""


class Numbers:
    def __init__(self) -> None:
        self._last: dict[tuple[bytes, bytes], int] = {}

    def take(self, sender: bytes, channel: bytes, number: int) -> int | None:
        """How many are missing before this one; None for one that was there already, or is older."""
        last = self._last.pop((sender, channel), None)
        if last is not None and number <= last:
            self._last[sender, channel] = last
            return None
        if len(self._last) >= REMEMBERED:
            del self._last[next(iter(self._last))]
        self._last[sender, channel] = number
        return 0 if last is None else number - last - 1
