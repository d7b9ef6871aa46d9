"""What happens to a SQLite file: readers that stand long, a second writer, a disk that is full or broken."""

import asyncio
import json
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from chat import db as database
from chat.clock import SystemClock
from chat.connecting import copy_log, sqlite_path
from chat.conversations.entry import Author
from chat.conversations.models import Conversation
from chat.db import Database, DatabaseAway
from tests.support.parts import Parts, running
from tests.support.steps import ROOT
from tests.support.talker import talking


@pytest.fixture
async def parts(sqlite_db: Database) -> AsyncIterator[Parts]:
    async with running(sqlite_db, SystemClock()) as parts:
        yield parts


def neighbour(db: Database) -> sqlite3.Connection:
    return sqlite3.connect(sqlite_path(db.url), timeout=30, isolation_level=None, check_same_thread=False)


def log_size(db: Database) -> int:
    return Path(f"{sqlite_path(db.url)}-wal").stat().st_size


async def say_many(parts: Parts, found: Conversation, count: int, name: str) -> None:
    author = Author("visitor", found.visitor_id)
    say = parts.conversations.say
    await asyncio.gather(*(say(found.id, author, "x" * 4000, f"{name}-{n:08}") for n in range(count)))


async def test_a_long_reader_makes_the_log_grow_only_while_it_reads(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOG_BYTES", 1_000_000)
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    await say_many(parts, found, 10, "first")
    with closing(neighbour(parts.db)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()
        await say_many(parts, found, 1000, "meanwhile")
        grown = log_size(parts.db)
        assert grown > 4_000_000
        # It is waited for a moment, and nobody is hurt.
        await parts.db.tidy()
        await say_many(parts, found, 10, "later")
        assert reader.execute("SELECT count(*) FROM message").fetchone() == (12,)
        reader.execute("COMMIT")
    await parts.db.tidy()
    assert log_size(parts.db) == 0
    await say_many(parts, found, 10, "after")
    assert log_size(parts.db) < grown / 4


async def test_the_log_is_copied_while_somebody_writes(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "COPY_SECONDS", 0.0)
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    await say_many(parts, found, 30, "first")
    with closing(neighbour(parts.db)) as other:
        other.execute("BEGIN IMMEDIATE")
        await parts.db.copy_log()
        other.execute("COMMIT")
    alone = Path(shutil.copy(sqlite_path(parts.db.url), f"{sqlite_path(parts.db.url)}-without-its-log"))
    with closing(sqlite3.connect(alone)) as copied:
        assert copied.execute("SELECT count(*) FROM message WHERE ref LIKE 'first-%'").fetchone() == (30,)
    # Nothing was written since: nothing wakes anybody.
    resting = asyncio.create_task(parts.db.copy_log())
    await asyncio.wait({resting}, timeout=0.2)
    assert not resting.done()
    resting.cancel()


def test_a_file_that_was_moved_away_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        copy_log(f"sqlite:///{tmp_path / 'moved.sqlite3'}")
    assert list(tmp_path.iterdir()) == []


async def test_a_second_writer_is_waited_for(parts: Parts) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        with closing(neighbour(parts.db)) as other:
            for _ in range(3):
                other.execute("BEGIN IMMEDIATE")
                held = asyncio.create_task(ann.is_heard(20, count=2))  # one was under way
                await asyncio.wait({held}, timeout=0.3)
                assert not held.done()
                other.execute("COMMIT")
                await held
        assert ann.refusals == 0


async def test_contract_13_a_second_writer_that_does_not_end_is_refused(parts: Parts) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        with closing(neighbour(parts.db)) as other:
            other.execute("BEGIN IMMEDIATE")
            await ann.is_refused(20)
            with pytest.raises(DatabaseAway):
                await parts.furnish()
            other.execute("COMMIT")
        await ann.is_heard(10)


@pytest.mark.parametrize("how", ["tmpfs", "limit"])
def test_contract_13_a_full_disk_acknowledges_nothing_and_recovers(tmp_path: Path, how: str) -> None:
    program = [sys.executable, "-m", "tests.support.full_disk", str(tmp_path), how]
    if how == "tmpfs":
        mount = f"mount -t tmpfs -o size=4m tmpfs {shlex.quote(str(tmp_path))} && exec {shlex.join(program)}"
        program = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"user namespaces are needed to make a small disk: {done.stderr[-2000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["before"] > 10
    assert told["refused"] == 5
    assert told["readable"] == told["before"]
    assert told["said_again"]
    assert told["kept"]
    assert told["gapless"]
