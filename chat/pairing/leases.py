"""How long the beats of other processes have stood still, by our own stopwatch. Pure: beats and `now` come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

BEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0
DEAD_SECONDS = 25.0
"""With a look every second, nobody who is gone is shown for longer than 30 s."""
BLIND_SECONDS = 10.0
"""Who has not looked for so long was asleep, or without the database as the others may have been: it times them anew,
else the first one to wake would end all others."""


@dataclass(frozen=True, slots=True)
class Still:
    """A lease to be ended, if its beat is still this one."""

    epoch: UUID
    beat: int
    seconds: float
    """Since when its process has not been heard of."""


class Stopwatch:
    """Call `look` with all beats, often; then `dead` says whose lease is over."""

    def __init__(self) -> None:
        self._seen: dict[UUID, tuple[int, float]] = {}
        self._looked = float("-inf")

    def look(self, beats: Mapping[UUID, int], now: float) -> set[UUID]:
        """The epochs that are gone since the last look."""
        gone = self._seen.keys() - beats.keys()
        blind = now - self._looked > BLIND_SECONDS
        seen = self._seen
        self._seen = {
            epoch: (beat, seen[epoch][1] if not blind and epoch in seen and seen[epoch][0] == beat else now)
            for epoch, beat in beats.items()
        }
        self._looked = now
        return gone

    def dead(self, own: UUID, now: float) -> list[Still]:
        return [
            Still(epoch, beat, now - since)
            for epoch, (beat, since) in self._seen.items()
            if epoch != own and now - since >= DEAD_SECONDS
        ]
