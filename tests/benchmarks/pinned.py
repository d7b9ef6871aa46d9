"""Processes of a benchmark: which core they run on, and what they used of it (from /proc, so Linux alone)."""

import os
import sys
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
UNPACED = (sys.executable, "-m", "tests.benchmarks.unpaced")
"""The program without its limit of two messages a second."""
CORES = sorted(os.sched_getaffinity(0))


def pin(process_id: int, core: int) -> None:
    """With all its threads. 0: the servers'; 1: everything else's. With one core, everybody shares it."""
    for thread in Path(f"/proc/{process_id or 'self'}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {CORES[core % len(CORES)]})


def cpu_seconds(process_id: int) -> float:
    """Of all its threads, user and system."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(process_id: int) -> int:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")
