"""How much is going on while something is broken, in full and as the test run has time for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

MOBILE = {"latency": 0.15, "jitter": 0.1, "loss": 0.03, "breaks": 0.0006}
"""150 ± 100 ms; of 100 pieces 3 are sent again, and one in fifty of those takes its link with it."""


@dataclass(frozen=True)
class Size:
    conversations: int
    tabs: int
    idle: int
    operators: int
    per_second: float
    conduct: Mapping[str, float] | None = None
    """Of every client's link; None goes straight."""
    breaks_per_minute: float = 0.0

    @property
    def sockets(self) -> int:
        return self.conversations + self.tabs + self.idle + self.operators


FULL = {
    "L0": Size(0, 0, 1_000, 1, 0),
    "L1": Size(500, 100, 1_380, 20, 200),
    "L3": Size(0, 0, 10_000, 1, 0),
}
FULL["L2"] = replace(FULL["L1"], conduct=MOBILE, breaks_per_minute=0.05)
ALONE_L3 = replace(FULL["L3"], idle=5_000)
"""One process lets in 500 a second: more cannot be back within 20 s."""
SHORT = {
    "L0": Size(12, 3, 30, 4, 15),
    "L1": Size(12, 3, 30, 4, 15),
    "L3": Size(12, 3, 30, 4, 15),
}
SHORT["L2"] = replace(SHORT["L1"], conduct=MOBILE, breaks_per_minute=0.05)
