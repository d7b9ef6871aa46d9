"""Faults of the SQLite file and of its disk."""

import resource
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

from tests.acceptance.matrix.scene import Scene, cells
from tests.acceptance.matrix.stage import Judgement
from tests.support.measured import percentile
from tests.support.stored import read_sqlite

ALONE = ("sqlite",)
FULL_AT = 1024
"""Nothing longer than this may be written: less than one page of the log."""


def path_of(scene: Scene) -> Path:
    return Path(scene.stage.database_url.partition(":///")[2])


def connect(scene: Scene) -> sqlite3.Connection:
    return sqlite3.connect(path_of(scene), timeout=30, isolation_level=None)


def demand_speed(scene: Scene) -> None:
    scene.over()

    def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
        p99 = percentile(judgement.figures.shown(scene.struck, monotonic()), 0.99)
        return p99 <= scene.limit(1.0), f"p99 {p99:.2f} s"

    scene.demand("p99 at most 1 s", holds)
    scene.demand_no_errors()


def read_for_long(scene: Scene) -> None:
    """A reader keeps its view of the database open: the log cannot be emptied."""
    scene.strike()
    with closing(connect(scene)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM message").fetchone()
        scene.wait(30, 2)
    demand_speed(scene)


def write_beside(scene: Scene) -> None:
    """Somebody else writes: holds the only write lock for a moment, again and again."""
    scene.strike()
    with closing(connect(scene)) as connection:
        for _ in range(scene.times(60, 5)):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE site SET name = name")
            scene.wait(0.3, 0.2)
            connection.execute("COMMIT")
            scene.wait(0.2, 0.2)
    demand_speed(scene)


def checkpoint(scene: Scene) -> None:
    scene.strike()
    with closing(connect(scene)) as connection:
        for _ in range(scene.times(60, 4)):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            scene.wait(0.5, 0.4)
    demand_speed(scene)


def fill_the_disk(scene: Scene) -> None:
    """Every write of the process beyond the first bytes of a file fails, database and log alike; then there is room
    again. Nothing is acknowledged meanwhile, and no restart is needed."""
    scene.demand_felt()
    scene.strike()
    for hub in scene.stage.hubs:
        resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (FULL_AT, resource.RLIM_INFINITY))
    try:
        scene.wait(15, 3)
    finally:
        for hub in scene.stage.hubs:
            resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    scene.over()
    scene.everybody_is_back()
    scene.demand_normal_within(10)
    scene.demand_no_errors()
    scene.notes.append("by a limit on file sizes; there are no files beside the database that could fail alone")


def lose_power(scene: Scene) -> None:
    """Database and log as they are on the disk at a random moment, opened again: what was acknowledged before is in
    them."""
    missing: list[str] = []
    copied = 0
    scene.strike()
    for number in range(scene.times(20, 3)):
        scene.random_moment()
        folder = scene.stage.folder / f"power-{number}-{monotonic():.0f}"
        folder.mkdir()
        hub = scene.stage.hubs[0]
        hub.send(signal.SIGSTOP)
        try:
            at = monotonic()
            for suffix in ("", "-wal"):
                shutil.copy(f"{path_of(scene)}{suffix}", folder / f"copy{suffix}")
        finally:
            hub.send(signal.SIGCONT)
        missing += missing_in(folder / "copy", scene, at)
        copied += 1
        shutil.rmtree(folder)
    scene.over()
    scene.demand_now("what was acknowledged is in the copy", not missing, f"{copied} copies, {len(missing)} missing")
    scene.notes.append("as the system saw the files; what a disk holds back that says it wrote is not seen here")


def missing_in(copy: Path, scene: Scene, at: float) -> list[str]:
    """Refs that were acknowledged before `at` and are not there."""
    with closing(sqlite3.connect(copy)) as connection:
        state = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if state != "ok":
        return [f"the copy is broken: {state}"]
    return sorted(scene.acknowledged_before(at) - read_sqlite(copy).refs)


CELLS = [
    *cells(11, "a long reader", read_for_long, ("L1",), ALONE, in_short=False),
    *cells(11, "a second writer", write_beside, ("L1",), ALONE),
    *cells(11, "a checkpoint", checkpoint, ("L1",), ALONE, in_short=False),
    *cells(12, "disk full under the database", fill_the_disk, ("L1",), ALONE),
    *cells(13, "power loss", lose_power, ("L1",), ALONE),
]
