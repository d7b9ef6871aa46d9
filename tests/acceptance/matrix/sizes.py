"""How much is going on while something is broken, in full and as the test run has time for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    conversations: int
    tabs: int
    idle: int
    operators: int
    per_second: float

    @property
    def sockets(self) -> int:
        return self.conversations + self.tabs + self.idle + self.operators


FULL = {
    "L0": Size(0, 0, 1_000, 1, 0),
    "L1": Size(500, 100, 1_380, 20, 200),
    "L3": Size(0, 0, 10_000, 1, 0),
}
SHORT = {
    "L0": Size(12, 3, 30, 3, 15),
    "L1": Size(12, 3, 30, 3, 15),
    "L3": Size(12, 3, 30, 3, 15),
}
