"""Fresh databases with all tables, copied from a template that is made once per run of pytest."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow

from chat.db import Database
from chat.migrations.schema import migrate
from tests.support.servers import PostgresServer

T = TypeVar("T")


class SqliteMaker:
    """Each `make` copies the template file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.sqlite3"

    def make(self, *, empty: bool = False) -> str:
        if empty:
            return f"sqlite:///{self._folder / uuid4().hex}.sqlite3"
        if not self._template.exists():
            _prepare(f"sqlite:///{self._template}", migrate)
        return self.copy(f"sqlite:///{self._template}")

    def copy(self, url: str) -> str:
        """Of one that nobody has open."""
        path = self._folder / f"{uuid4().hex}.sqlite3"
        shutil.copy(url.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"

    def discard(self, url: str) -> None:
        """A copy."""
        self.drop(url)

    def drop(self, url: str) -> None:
        """When nobody has it open any more."""
        path = url.removeprefix("sqlite:///")
        for end in ("", "-wal", "-shm"):
            Path(path + end).unlink(missing_ok=True)


class PostgresMaker:
    """Each `make` is a CREATE DATABASE from the template, or one that was given back and emptied: a third of a second
    of processor less."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._template: str | None = None
        self._emptied: list[str] = []
        self._like_new = ""

    def make(self, *, empty: bool = False) -> str:
        if empty:
            return self._server.url(self._create("template0"))
        if self._template is None:
            self._template = self._create("template0")
            _prepare(self._server.url(self._template), migrate)
            with self._connected(self._template) as connection:
                self._like_new = _shape(connection)
        return self._server.url(self._emptied.pop() if self._emptied else self._create(self._template))

    def copy(self, url: str) -> str:
        """Of one that nobody has open, with what was found out about its tables."""
        return self._server.url(self._create(url.rpartition("/")[2]))

    def drop(self, url: str) -> None:
        """Gives back what `make` gave, with whoever is still connected thrown out."""
        name = url.rpartition("/")[2]
        if self._is_emptied(name):
            self._emptied.append(name)
        else:
            self.discard(url)

    def discard(self, url: str) -> None:
        """A copy, and what is not to be made like new, with whoever is still connected thrown out."""
        with self._connected("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)".encode())

    def _is_emptied(self, name: str) -> bool:
        """False where it is no longer as it was made: changed in its tables, grown, analysed, or not to be had."""
        try:
            with self._connected(name) as connection:
                connection.execute(_ALONE)
                connection.execute(_EMPTY)
                return _shape(connection) == self._like_new
        except psycopg.Error:
            return False

    def _create(self, template: str) -> str:
        name = f"nd_{uuid4().hex}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
        return name

    def _connected(self, name: str) -> "psycopg.Connection[TupleRow]":
        return psycopg.connect(self._server.url(name), autocommit=True, options="-c lock_timeout=5s")


_ALONE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DO $$
DECLARE one text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', one);
    END LOOP;
END $$
"""
_SHAPE = """
SELECT md5(concat(
    (SELECT string_agg(concat_ws(' ', relname, attname, atttypid, atttypmod, attnotnull), ',' ORDER BY relname, attnum)
       FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE relnamespace = 'public'::regnamespace AND attnum > 0),
    (SELECT string_agg(indexdef, ',' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public'),
    (SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY conname, conrelid) FROM pg_constraint),
    (SELECT string_agg(proname, ',' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal),
    (SELECT string_agg(version_num, ',') FROM alembic_version),
    (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384),
    (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid
      WHERE datname = current_database()),
    pg_database_size(current_database()) > 16 * 1024 * 1024
))
"""


def _shape(connection: "psycopg.Connection[TupleRow]") -> str:
    row = connection.execute(_SHAPE).fetchone()
    return str(row[0]) if row else ""


class Filled(Generic[T]):
    """A database with many rows, filled once on each server and copied for each test; `fill` says what is in it."""

    def __init__(self, fill: Callable[[Database], Coroutine[Any, Any, T]]) -> None:
        self._fill = fill
        self._made: dict[SqliteMaker | PostgresMaker, tuple[str, T]] = {}

    def make(self, maker: SqliteMaker | PostgresMaker) -> tuple[str, T]:
        if maker not in self._made:
            url = maker.make()
            self._made[maker] = url, _prepare(url, self._fill)
        url, filled = self._made[maker]
        return maker.copy(url), filled


def _prepare(url: str, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    async def prepare() -> T:
        db = Database(url)
        try:
            done = await work(db)
            if db.is_sqlite:
                # One file to copy, without its log beside it.
                async with db.engine.connect() as connection:
                    await connection.exec_driver_sql("COMMIT")
                    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return done
        finally:
            await db.close()

    # The caller may be a fixture inside a running loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, prepare()).result()
