"""The writer's thread: what was refused does not happen later, and whatever hangs ends."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from chat.connecting import connect_sqlite_writer
from chat.writer import Unwritten, Writer

PATIENT = 60.0
"""Where nothing is to be refused."""


@pytest.fixture
def writer(tmp_path: Path) -> Writer[sqlite3.Connection]:
    url = f"sqlite:///{tmp_path / 'written.sqlite3'}"
    return Writer(lambda: connect_sqlite_writer(url), PATIENT)


def without_end(connection: sqlite3.Connection) -> Any:
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    return connection.execute(counting).fetchone()


async def test_what_was_refused_while_it_waited_is_never_begun(writer: Writer[sqlite3.Connection]) -> None:
    free, began = threading.Event(), threading.Event()

    def holds(_connection: sqlite3.Connection) -> None:
        began.set()
        free.wait()

    done: list[str] = []
    held = asyncio.create_task(writer.run(holds))
    await asyncio.to_thread(began.wait)
    writer._seconds = 0.05
    with pytest.raises(Unwritten):
        await writer.run(lambda _connection: done.append("refused"))
    writer._seconds = PATIENT
    free.set()
    await held
    # The thread takes what it was given in this order.
    await writer.run(lambda _connection: done.append("later"))
    await writer.close()
    assert done == ["later"]


async def test_what_is_refused_while_the_connection_is_made_is_not_begun(tmp_path: Path) -> None:
    free, done = threading.Event(), list[str]()

    def connect() -> sqlite3.Connection:
        free.wait()
        return connect_sqlite_writer(f"sqlite:///{tmp_path / 'written.sqlite3'}")

    writer = Writer(connect, 0.05)
    with pytest.raises(Unwritten):
        await writer.run(lambda _connection: done.append("refused"))
    free.set()
    await writer.close()
    assert done == []


async def test_what_hangs_is_ended_and_the_next_goes_on(writer: Writer[sqlite3.Connection]) -> None:
    writer._seconds = 0.2
    with pytest.raises(Unwritten):
        await writer.run(without_end)
    writer._seconds = PATIENT
    assert await writer.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    await writer.close()


async def test_at_the_end_nothing_hangs_of_which_nobody_waits(writer: Writer[sqlite3.Connection]) -> None:
    """A program waits for its threads before it ends."""
    began, ended = threading.Event(), threading.Event()

    def hangs(connection: sqlite3.Connection) -> None:
        began.set()
        try:
            without_end(connection)
        finally:
            ended.set()

    left = asyncio.create_task(writer.run(hangs))
    await asyncio.to_thread(began.wait)
    left.cancel()
    writer._seconds = 0.2
    await writer.close()
    assert await asyncio.to_thread(ended.wait, 30)
