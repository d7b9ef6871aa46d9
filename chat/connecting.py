"""How the two databases are connected to: limits, pragmas, several hosts, and which errors mean "gone".

PostgreSQL's driver is imported where there is a PostgreSQL: 9 MB that SQLite does not need.
"""

import os
import select
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chat.sqlite_driver import driver_module

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 5
SILENT_MS = 10_000
"""How long the kernel waits for a server that acknowledges nothing, as behind a pulled cable."""
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    # Pages of many conversations change in each group of messages: they are copied into the file beside the writer, and
    # by the writer only where that falls behind.
    "wal_autocheckpoint=4000",
    # A reader that stood long lets the log grow: once it is gone, the next checkpoint cuts the file back to this.
    "journal_size_limit=67108864",
)
POSTGRES_OPTIONS = {
    "lock_timeout": "3s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
    # Many small statements: compiling one takes longer than carrying it out.
    "jit": "off",
    # Disks that have no arm: the default makes the planner read whole tables where an index is quicker.
    "random_page_cost": "1.1",
    # Planned for their values, the statements of the desk's pages take longer to plan than to run, and what is rare
    # among all rows but not in its department is sorted whole.
    "plan_cache_mode": "force_generic_plan",
}
# The writer's statements find rows by index, whatever the planner thinks of tables that were empty a moment ago.
POSTGRES_WRITER_OPTIONS = POSTGRES_OPTIONS | {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

# What is acknowledged is on the disk, also where the server is told to be quick; who wants more of it keeps it.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_READ_ONLY = "25006"
# Read-only after a failover, 25P03 idle too long, 57P01 shut down by an administrator, 08* connection lost.
_LOST = (_READ_ONLY, "25P03", "57P01", "57P02", "57P03", "08")
# The file is not what this connection thinks it is: only a new one may be right again.
_LOST_SQLITE = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
}


def is_sqlite(url: str) -> bool:
    """Raises ValueError for a database that is neither of ours."""
    match url.partition(":")[0].partition("+")[0]:
        case "sqlite":
            return True
        case "postgresql":
            return False
        case other:
            raise ValueError(f"{other} is not supported: use sqlite:/// or postgresql://")


def sqlite_path(url: str) -> str:
    return make_url(url).database or ""


def conninfo(url: str, options: dict[str, str] = POSTGRES_OPTIONS) -> str:
    """What the URL says, with our limits where it says nothing. Of several hosts the one that takes writes is used:
    a pool that stands on a demoted node answers every question and fails every write."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    said: dict[str, Any] = conninfo_to_dict("postgresql" + url[url.index("://") :])
    ours: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "target_session_attrs": "read-write",
        "tcp_user_timeout": SILENT_MS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "application_name": "nightdesk",
    }
    limits = " ".join(f"-c {name}={value}" for name, value in options.items())
    return make_conninfo(**(ours | said | {"options": f"{limits} {said.get('options', '')}".strip()}))


def engine_of(url: str, pool_size: int) -> AsyncEngine:
    # Parameters are texts of messages and secrets: no exception may carry them into a log.
    engine = _sqlite_engine(url, pool_size) if is_sqlite(url) else _postgres_engine(url, pool_size)
    event.listen(engine.sync_engine, "handle_error", _judge)
    return engine


def _sqlite_engine(url: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        make_url(url).set(drivername="sqlite+aiosqlite"),
        module=driver_module(),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": 5},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _postgres_engine(url: str, pool_size: int) -> AsyncEngine:
    import psycopg

    info = conninfo(url)

    async def connect() -> "psycopg.AsyncConnection[Any]":
        connection = await psycopg.AsyncConnection.connect(info, autocommit=True)
        try:
            await connection.execute(_DURABLE)
            await connection.set_autocommit(False)
        except BaseException:  # whoever is cancelled here would leave it open
            await connection.close()
            raise
        return connection

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        # The same few as long as they are enough: what they have prepared is ready.
        pool_use_lifo=True,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _require_silence)
    return engine


def connect_sqlite_writer(url: str) -> sqlite3.Connection:
    """For one thread alone, which begins and commits by itself."""
    connection = sqlite3.connect(sqlite_path(url), timeout=5, isolation_level=None, check_same_thread=False)
    for pragma in (*SQLITE_PRAGMAS, "cache_size=-32768"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _lower(text: str | None) -> str | None:
    """SQLite's own knows A to Z alone: Č and č would be two letters."""
    return text.lower() if isinstance(text, str) else text


def log_bytes(url: str) -> int:
    """How large SQLite's log is."""
    try:
        return Path(f"{sqlite_path(url)}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def copy_log(url: str) -> None:
    """What of SQLite's log can be copied into the file while others read and write."""
    # Never makes a file: where the file was moved away, a new one would take its log with it.
    there = f"{Path(sqlite_path(url)).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(there, uri=True, timeout=0)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def empty_log(connection: sqlite3.Connection) -> None:
    """Where readers always overlap, the log is never begun anew and grows without end. Here it is emptied while nobody
    writes; a reader that stands long is waited for only a moment, since all writers wait meanwhile."""
    connection.execute("PRAGMA busy_timeout=200")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout=5000")


def connect_postgres_writer(url: str) -> "psycopg.Connection[Any]":
    import psycopg

    connection = psycopg.connect(conninfo(url, POSTGRES_WRITER_OPTIONS), autocommit=True)
    connection.execute(_DURABLE)
    connection.prepare_threshold = 0
    return connection


def postgres_error() -> tuple[type[Exception], ...]:
    """The driver's own base of errors; none can come where it was never imported."""
    driver = sys.modules.get("psycopg")
    return () if driver is None else (driver.Error,)


def means_lost_connection(error: BaseException) -> bool:
    """Whether the connections stand on a server or file that is gone or demoted, so that every one must go."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and means_lost_connection(error.orig))
    if isinstance(error, postgres_error()):
        return str(getattr(error, "sqlstate", None) or "").startswith(_LOST)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOST_SQLITE
    return isinstance(error, OSError)


def means_demoted(error: BaseException) -> bool:
    """The server takes no writes any more, and what it is asked may be answered with what was true once."""
    return isinstance(error, postgres_error()) and getattr(error, "sqlstate", None) == _READ_ONLY


def means_locked(error: BaseException | None) -> bool:
    """Somebody has held a lock in PostgreSQL longer than we wait."""
    return isinstance(error, postgres_error()) and getattr(error, "sqlstate", None) == "55P03"


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: see _begin_sqlite
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # Writers say BEGIN IMMEDIATE themselves; a reader needs one view for all its queries.
    if not connection.get_execution_options().get("nightdesk_write"):
        connection.connection.dbapi_connection.begin_soon()


def _judge(context: ExceptionContext) -> None:
    """A lost connection takes its whole pool with it: each one is closed and opened anew before it is used again."""
    if means_lost_connection(context.original_exception):
        context.is_disconnect = True


_taken: ContextVar[list[Any] | None] = ContextVar("taken", default=None)


@contextmanager
def taken_connections() -> Iterator[list[Any]]:
    """Those of the driver that are taken from the pool while this is open, in this task."""
    before, taken = _taken.get(), list[Any]()
    _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.set(before)


def hang_up(connections: list[Any]) -> None:
    """Both ways, under whoever waits for an answer: closing would leave them waiting, and to cancel a statement the
    driver asks the server that hangs, twice 5 s."""
    for connection in connections:
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as line, suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _require_silence(connection: Any, _record: Any, _proxy: Any) -> None:
    """A connection that stood idle has nothing to say, unless its server said goodbye: then all of them are stale,
    and the caller gets a new one instead of an error. It costs no question to the server."""
    driver = connection.driver_connection
    if driver.closed:
        raise InvalidatePoolError
    poll = select.poll()
    poll.register(driver.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError
    if (taken := _taken.get()) is not None:
        taken.append(driver)
