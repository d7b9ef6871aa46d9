"""Engine, transactions, naming convention, UTC column type. Knows no table.

`Database.write` is the only way to change rows. On SQLite it begins with `BEGIN IMMEDIATE`: a deferred
transaction that reads first and writes later fails at once under load, whatever the busy timeout
(observed: 406 of 600 refused, against none). One writer at a time per process keeps the file lock fair.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, ClassVar, TypeVar

from sqlalchemy import DateTime, Dialect, MetaData, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession as CoreSession
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from chat import connecting
from chat.connecting import CONNECT_SECONDS
from chat.turns import Turns
from chat.writer import Unwritten, Writer

HUNG_SECONDS = 6.0
"""What takes longer on PostgreSQL is taken for a server that hangs: its own limits end everything before."""
LOG_BYTES = 32 * 1024 * 1024
COPY_SECONDS = 1.0
T = TypeVar("T")

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


def insert_for(session: AsyncSession) -> Any:
    """`insert` with ON CONFLICT, which both databases know and SQLAlchemy spells per dialect."""
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert


class Session(AsyncSession):
    """SQLModel's session, whose `execute` is SQLAlchemy's own: Core statements are no mistake here."""

    execute = CoreSession.execute


class DatabaseAway(Exception):
    """The database cannot be reached or refuses writes; a retry may help."""


class Database:
    """`async with db.read() as session` and `async with db.write() as session`.

    `write` commits on a normal end and rolls back on an exception. Nothing on the network is awaited inside.
    Objects stay usable after the commit (`expire_on_commit=False`).
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.is_sqlite = connecting.is_sqlite(url)
        self.engine: AsyncEngine = connecting.engine_of(url, pool_size)
        self._turns = Turns()
        self._grown = asyncio.Event()
        self._copying = asyncio.Lock()
        self._unwritten_since: float | None = None
        self.unwritten_seconds = 0.0
        """Between the first and the last of the writes that the database did not take, with none between that it did:
        one alone, that met a lock, is no sign."""
        self._is_unread = False
        connect = connecting.connect_sqlite_writer if self.is_sqlite else connecting.connect_postgres_writer
        self._driver: Writer[Any] = Writer(partial(connect, url), HUNG_SECONDS, self._demoted)
        self._is_demoted = False
        if not self.is_sqlite:
            # Before it is looked whether the connection is silent: one that is refused twice is not tried again.
            event.listen(self.engine.sync_engine, "checkout", self._require_writable, insert=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._guarded(HUNG_SECONDS), Session(self.engine, expire_on_commit=False) as session:
                yield session
        except DatabaseAway:
            self._is_unread = True
            raise
        self._is_unread = False

    @asynccontextmanager
    async def write(self, seconds: float = HUNG_SECONDS) -> AsyncIterator[AsyncSession]:
        """`seconds`: more for what is known to take long."""
        async with self._noted_writing():
            if not self.is_sqlite:
                async with (
                    self._guarded(seconds),
                    Session(self.engine, expire_on_commit=False) as session,
                    session.begin(),
                ):
                    yield session
                return
            async with (
                self._turns.take(),
                self._guarded(seconds),
                Session(self.engine, expire_on_commit=False) as session,
            ):
                connection = await session.connection(execution_options={"nightdesk_write": True})
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                async with _committing(session):
                    yield session

    async def write_by_driver(self, work: Callable[[Any], T], *, first: bool = False) -> T:
        """`work(connection)` in the writer's thread, with a bare connection of the driver: it begins and commits by
        itself and may be run twice. `first`: before others that wait, where one writes at a time. Raises `Unwritten` or
        `Unstorable`."""
        async with self._noted_writing():
            if not self.is_sqlite:
                return await self._driver.run(work)
            async with self._turns.take(first=first):
                return await self._driver.run(work)

    @asynccontextmanager
    async def _noted_writing(self) -> AsyncIterator[None]:
        try:
            yield
        except (DatabaseAway, Unwritten):
            now = monotonic()
            self._unwritten_since = self._unwritten_since or now
            self.unwritten_seconds = now - self._unwritten_since
            raise
        self._unwritten_since, self.unwritten_seconds = None, 0.0
        self._grown.set()

    async def copy_log(self) -> None:
        """SQLite: copies its log into the file beside whoever writes, some time after a write. Else the writer does it
        in the middle of a message, with all that have come together since, and everybody waits."""
        await self._grown.wait()
        await asyncio.sleep(COPY_SECONDS)
        self._grown.clear()
        async with self._copying:
            await asyncio.to_thread(connecting.copy_log, self.url)

    async def tidy(self) -> None:
        """SQLite: keeps its log from growing for ever. To be called every minute or so."""
        if self.is_sqlite and connecting.log_bytes(self.url) > LOG_BYTES:
            async with self._copying:
                await self.write_by_driver(connecting.empty_log)

    @asynccontextmanager
    async def _guarded(self, seconds: float) -> AsyncIterator[None]:
        try:
            if self.is_sqlite:
                yield  # a file answers or fails by itself
            else:
                async with _not_hung(seconds):
                    yield
        except Exception as error:
            if isinstance(error, OperationalError | InterfaceError | NoConnection):
                raise DatabaseAway from error  # locked, full or not reachable: a retry may help
            if connecting.means_lost_connection(error):
                raise DatabaseAway from error
            raise

    def _demoted(self) -> None:
        """Found by the writer, in its thread: the connections for reading stand on the same server, which answers them
        as if nothing had happened."""
        self._is_demoted = True

    def _require_writable(self, *_: object) -> None:
        if self._is_demoted:
            self._is_demoted = False
            raise InvalidatePoolError  # all are opened anew, where writes are taken

    @property
    def takes_writes(self) -> bool:
        """As far as is known: who has had nothing to write has still seen that nothing can be read."""
        return not self.unwritten_seconds and not self._is_unread

    @property
    def connections_in_use(self) -> int:
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @property
    def connections_limit(self) -> int:
        pool = self.engine.pool
        return pool.size() if isinstance(pool, QueuePool) else 0

    async def close(self) -> None:
        await self._driver.close()
        await self.engine.dispose()


@asynccontextmanager
async def _not_hung(seconds: float) -> AsyncIterator[None]:
    """A server may hang and still keep the line."""
    with connecting.taken_connections() as taken:
        hanging_up = asyncio.get_running_loop().call_later(seconds, connecting.hang_up, taken)
        try:
            async with asyncio.timeout(seconds + CONNECT_SECONDS):
                yield
        finally:
            hanging_up.cancel()


@asynccontextmanager
async def _committing(session: AsyncSession) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


def rows_changed(result: Any) -> int:
    """How many rows a conditional UPDATE claimed."""
    return int(result.rowcount)
