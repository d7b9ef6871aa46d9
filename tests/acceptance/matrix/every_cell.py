"""All cells of the fault matrix, and the rows that are not produced here, with the reason."""

from tests.acceptance.matrix import (
    clients,
    clocks,
    links,
    postgresql_faults,
    processes,
    redis_faults,
    sqlite_faults,
    versions,
)
from tests.acceptance.matrix.scene import Cell

GROUPS = (processes, redis_faults, postgresql_faults, sqlite_faults, links, clients, clocks, versions)
EVERY_CELL: list[Cell] = sorted((cell for group in GROUPS for cell in group.CELLS), key=lambda cell: cell.row)

ELSEWHERE = {
    15: (
        "sleep, hidden tab, bfcache, offline",
        "20 browsers at once: `python -m tests.benchmarks waking`; each way: tests/browser/test_waking.py",
    ),
    21: ("mail", "comes with mail"),
    22: ("webhook receivers", "come with webhooks"),
}
"""Rows that are not produced here: their title, and why."""
