"""SQLite for SQLAlchemy's async engine, with one errand to the connection's thread for each statement.

As it comes, each statement is four: a cursor is made, it executes, its rows are fetched, it is closed. Each waits for a
turn of the loop, and beside a busy loop also for the interpreter's lock, while nobody else may write.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)


@dataclass
class _Done:
    """What is known of a statement when its cursor is closed."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1

    def close(self) -> None: ...


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()
    _awaitable_cursor_close: bool = False

    def _make_new_cursor(self, _connection: Any) -> Any:
        return _Done()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._ask(sqlite3.Connection.execute, operation, parameters or ())

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._ask(sqlite3.Connection.executemany, operation, seq_of_parameters)

    async def _ask(self, ask: Callable[..., sqlite3.Cursor], operation: str, parameters: Any) -> None:
        connection: Any = self._connection
        ours: Any = self._adapt_connection
        async with ours._execute_mutex:
            begins = ours.takes_up()
            self._cursor, rows = await connection._execute(
                _answer, connection._conn, begins, ask, operation, parameters
            )
            self._rows = deque(rows)


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("_begins", "_is_used")
    _cursor_cls = _Cursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._begins = self._is_used = False

    def begin_soon(self) -> None:
        """A reader's transaction, with its first statement: before that SQLite does nothing for it either."""
        self._begins = True

    def takes_up(self) -> bool:
        """Whether the statement that goes out now begins the transaction."""
        begins, self._begins, self._is_used = self._begins, False, True
        return begins

    def rollback(self) -> None:
        if self._ends():
            super().rollback()

    def commit(self) -> None:
        if self._ends():
            super().commit()

    def _ends(self) -> bool:
        """Whether anything went out: of an errand whose task was cancelled nobody knows how far it came."""
        was_used, self._begins, self._is_used = self._is_used, False, False
        return was_used


class _Module(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        return _Connection(self, super().connect(*arg, **kw)._connection)


def driver_module() -> Any:
    """For `create_async_engine("sqlite+aiosqlite://…", module=…)`."""
    return _Module(aiosqlite, sqlite3)


def _answer(
    connection: sqlite3.Connection, begins: bool, ask: Callable[..., sqlite3.Cursor], operation: str, parameters: Any
) -> tuple[_Done, Sequence[Any]]:
    """In the connection's thread."""
    if begins:
        connection.execute("BEGIN")
    cursor = ask(connection, operation, parameters)
    rows = cursor.fetchall() if cursor.description else ()
    done = _Done(cursor.description, cursor.rowcount, cursor.lastrowid)
    cursor.close()
    return done, rows
