"""The writer's thread: what was refused does not happen later, and whatever hangs ends."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.connecting import connect_sqlite_writer
from chat.writer import Unwritten, Writer

Make = Callable[[float], Writer[sqlite3.Connection]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    url = f"sqlite:///{tmp_path / 'written.sqlite3'}"
    return lambda seconds: Writer(lambda: connect_sqlite_writer(url), seconds)


def without_end(connection: sqlite3.Connection) -> Any:
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    return connection.execute(counting).fetchone()


async def test_what_was_refused_while_it_waited_is_never_begun(make: Make) -> None:
    writer = make(0.05)
    free, began = threading.Event(), threading.Event()

    def holds(_connection: sqlite3.Connection) -> None:
        began.set()
        free.wait()

    done: list[str] = []
    held = asyncio.create_task(writer.run(holds))
    await asyncio.to_thread(began.wait)
    with pytest.raises(Unwritten):
        await writer.run(lambda _connection: done.append("refused"))
    with pytest.raises(Unwritten):
        await held
    free.set()
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


async def test_what_hangs_is_ended_and_the_next_goes_on(make: Make) -> None:
    writer = make(0.2)
    with pytest.raises(Unwritten):
        await writer.run(without_end)
    assert await writer.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    await writer.close()


async def test_at_the_end_nothing_hangs_of_which_nobody_waits(make: Make) -> None:
    """A program waits for its threads before it ends."""
    writer = make(0.2)
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
    await writer.close()
    assert await asyncio.to_thread(ended.wait, 30)
