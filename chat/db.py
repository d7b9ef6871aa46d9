"""Engine, transactions, naming convention, UTC column type. Knows no table.

`Database.write` is the only way to change rows. On SQLite it begins with `BEGIN IMMEDIATE`: a deferred
transaction that reads first and writes later fails at once under load, whatever the busy timeout
(reliability.md: 406 of 600 refused, against none). One writer at a time per process keeps the file lock fair.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, MetaData, Table, event
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as CoreSession
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; `timestamptz` on PostgreSQL, naive UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(SQLModel):
    """Base of all tables. A table class is a table and nothing else: it does not validate."""

    metadata: ClassVar[MetaData] = metadata


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a model, for grouped inserts and conditional UPDATEs."""
    return model.metadata.tables[str(model.__tablename__)]


class Session(AsyncSession):
    """SQLModel's session, whose `execute` is SQLAlchemy's own: Core statements are no mistake here."""

    execute = CoreSession.execute


class DatabaseAway(Exception):
    """The database cannot be reached or refuses writes; a retry may help."""


# 25006 read-only after a failover, 57P01 shut down by an administrator, 08* connection lost (reliability.md).
_LOST = ("25006", "57P01", "57P02", "57P03", "08")


def means_lost_connection(error: BaseException) -> bool:
    """Whether the pool stands on a node that is gone or demoted, so that every connection must go."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return error.connection_invalidated or (state is not None and str(state).startswith(_LOST))
    return isinstance(error, OSError)


def async_url(url: str) -> str:
    """`sqlite:///x` and `postgresql://…` as people write them -> the URL of our two async drivers."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        case other:
            raise ValueError(f"{other} is not supported: use sqlite:/// or postgresql://")
    return parsed.render_as_string(hide_password=False)


class Database:
    """`async with db.read() as session` and `async with db.write() as session`.

    `write` commits on a normal end and rolls back on an exception. Nothing on the network is awaited inside.
    Objects stay usable after the commit (`expire_on_commit=False`).
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = async_url(url)
        self.engine: AsyncEngine = _engine(self.url, pool_size)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writer = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with self._guarded(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        if not self.is_sqlite:
            async with (
                self._guarded(),
                Session(self.engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
            return
        async with self._writer, self._guarded(), Session(self.engine, expire_on_commit=False) as session:
            connection = await session.connection(execution_options={"nightdesk_write": True})
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            async with _committing(session):
                yield session

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            if means_lost_connection(error):
                await self.engine.dispose()
                raise DatabaseAway from error
            if isinstance(error, OperationalError | InterfaceError | NoConnection):
                raise DatabaseAway from error  # locked, full, hung or not reachable: a retry may help
            raise

    @property
    def connections_in_use(self) -> int:
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def _committing(session: AsyncSession) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


def _engine(url: str, pool_size: int) -> AsyncEngine:
    if url.startswith("sqlite"):
        # Parameters are texts of messages and secrets: no exception may carry them into a log (security.md D1).
        engine = create_async_engine(
            url, pool_size=pool_size, max_overflow=0, hide_parameters=True, connect_args={"timeout": 5}
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    options = "-c lock_timeout=3s -c statement_timeout=5s -c idle_in_transaction_session_timeout=10s -c timezone=UTC"
    connect_args: dict[str, Any] = {"options": options, "connect_timeout": 5}
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=5, hide_parameters=True, connect_args=connect_args
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: see _begin_sqlite
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # Writers say BEGIN IMMEDIATE themselves; a reader needs one view for all its queries.
    if not connection.get_execution_options().get("nightdesk_write"):
        connection.exec_driver_sql("BEGIN")


def rows_changed(result: Any) -> int:
    """How many rows a conditional UPDATE claimed."""
    return int(result.rowcount)
