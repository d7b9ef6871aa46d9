"""The database of a desk as files of a copy, and back. One class for each kind, no server programs needed.

PostgreSQL goes through COPY in one snapshot and not through `pg_dump`: that program must be as new as the server and
is not there in most images; COPY is the same on all, and the tables themselves are made by our own migrations.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, create_engine, event, text

from chat.connecting import conninfo, is_sqlite, sqlite_path
from chat.in_place import put_in_place
from chat.migrations import schema
from chat.operations.archive import CopyRefused, Manifest, TableCopy

DATABASE = "database"
POSITIONS = f"{DATABASE}/positions.tsv"
"""Of each conversation: its id and the heads of its two streams, sorted by id."""
SQLITE_FILE = f"{DATABASE}/nightdesk.sqlite3"
REVISIONS = "alembic_version"
CURRENT = "SELECT version_num FROM alembic_version"
PATIENT = {
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "0",
    "timezone": "UTC",
}

Check = Callable[[Connection], None]
"""Looks at what was restored before it is kept; raises CopyRefused."""


class Store(Protocol):
    kind: str

    def save(self, folder: Path) -> tuple[str, list[TableCopy]]:
        """Writes a consistent copy while others write; the revision of the schema and the tables."""
        ...

    def require_empty(self) -> None:
        """Raises CopyRefused where something is already."""
        ...

    def load(self, folder: Path, manifest: Manifest, check: Check) -> None:
        """Whole or not at all, brought to this program's schema."""
        ...

    def drill(self, folder: Path, manifest: Manifest, check: Check) -> None:
        """The same into a throw-away database."""
        ...


def store_of(url: str) -> Store:
    if is_sqlite(url):
        return SqliteStore(Path(sqlite_path(url)))
    return PostgresStore(conninfo(url, PATIENT))


class SqliteStore:
    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, folder: Path) -> tuple[str, list[TableCopy]]:
        if not self._path.exists():
            raise CopyRefused(f"There is no database at {self._path}. Check NIGHTDESK_DATA_DIR.")
        target = folder / SQLITE_FILE
        target.parent.mkdir()
        with closing(sqlite3.connect(self._path, timeout=30)) as source, closing(sqlite3.connect(target)) as copy:
            # All pages in one step: a backup in several begins anew whenever another process writes.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
            faults = [row[0] for row in copy.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
            faults += [f"{row[0]} refers to a missing {row[2]}" for row in copy.execute("PRAGMA foreign_key_check")][:3]
            if faults:
                raise CopyRefused(f"The database is damaged: {'; '.join(faults)}. Restore an earlier copy.")
            named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
            found = [name for (name,) in copy.execute(f"{named} ORDER BY name")]
            if REVISIONS not in found:
                raise CopyRefused(f"The database at {self._path} is empty: there is nothing to copy.")
            revision = _one(copy.execute(CURRENT).fetchall())
            names = [name for name in found if name != REVISIONS]
            tables = [
                TableCopy(
                    name,
                    copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0],  # noqa: S608 — a name of ours
                    [row[1] for row in copy.execute(f'PRAGMA table_info("{name}")')],
                )
                for name in names
            ]
            _write_positions(folder, copy.execute("SELECT id, last_seq, last_note_seq FROM conversation ORDER BY id"))
        return revision, tables

    def require_empty(self) -> None:
        for path in (self._path, self._path.with_name(self._path.name + "-wal")):
            if path.exists():
                raise CopyRefused(f"{path} is there already: a copy is only restored into an empty place.")

    def load(self, folder: Path, manifest: Manifest, check: Check) -> None:
        copy = folder / SQLITE_FILE
        self._raise_to_head(copy, check)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            partial.write_bytes(b"")
            partial.chmod(0o600)
            with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(partial)) as target:
                source.backup(target)
            put_in_place(partial, self._path)
        except FileExistsError:
            raise CopyRefused(f"{self._path} was made meanwhile: stop the desk, empty the place, try again.") from None
        finally:
            partial.unlink(missing_ok=True)

    def drill(self, folder: Path, manifest: Manifest, check: Check) -> None:
        self._raise_to_head(folder / SQLITE_FILE, check)

    def _raise_to_head(self, copy: Path, check: Check) -> None:
        engine = create_engine(f"sqlite:///{copy}")
        event.listen(engine, "connect", _plain_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        try:
            with engine.begin() as connection:
                faults = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(3)") if row[0] != "ok"]
                if faults:
                    raise CopyRefused(f"The database in the copy is damaged: {'; '.join(faults)}.")
                check(connection)
                schema.upgrade(connection, "head")
        finally:
            engine.dispose()


class PostgresStore:
    kind = "postgresql"

    def __init__(self, info: str) -> None:
        self._info = info

    def save(self, folder: Path) -> tuple[str, list[TableCopy]]:
        (folder / DATABASE).mkdir()
        with self._connected() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            names = _tables(connection)
            if REVISIONS not in names:
                raise CopyRefused("The database is empty: there is nothing to copy. Check NIGHTDESK_DATABASE_URL.")
            revision = _one(connection.execute(CURRENT).fetchall())
            tables = [_copy_out(connection, name, folder) for name in names if name != REVISIONS]
            found = connection.execute("SELECT id, last_seq, last_note_seq FROM conversation ORDER BY id")
            _write_positions(folder, found)
        return revision, tables

    def require_empty(self) -> None:
        with self._connected() as connection:
            if names := _tables(connection):
                raise CopyRefused(
                    f"The database has {len(names)} tables already: a copy is only restored into an empty one."
                )

    def load(self, folder: Path, manifest: Manifest, check: Check) -> None:
        self._load(self._info, folder, manifest, check)

    def drill(self, folder: Path, manifest: Manifest, check: Check) -> None:
        name = f"nightdesk_drill_{uuid4().hex[:12]}"
        made = sql.Identifier(name)
        try:
            try:
                with self._connected(autocommit=True) as connection:
                    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(made))
            except psycopg.errors.InsufficientPrivilege:
                raise CopyRefused(
                    "A drill makes a throw-away database and this role may not: ALTER ROLE … CREATEDB, or point "
                    "NIGHTDESK_DATABASE_URL at a server where it may."
                ) from None
            self._load(make_conninfo(self._info, dbname=name), folder, manifest, check)
        finally:
            # On a line of its own: the first one may have stood idle for too long.
            with self._connected(autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(made))

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._info, autocommit=autocommit) as connection:
            yield connection

    def _load(self, info: str, folder: Path, manifest: Manifest, check: Check) -> None:
        """One transaction: tables as they were, rows, the look at them, then to head."""
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(info), hide_parameters=True)
        try:
            with engine.begin() as connection:
                schema.upgrade(connection, manifest.schema)
                driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
                names = [name for name in _tables(driver) if name != REVISIONS]
                copied = {table.name: table for table in manifest.tables}
                if missing := sorted(set(names) ^ set(copied)):
                    raise CopyRefused(f"The copy does not fit schema {manifest.schema}: {', '.join(missing)}.")
                # A migration may have put rows into them.
                everything = sql.SQL(", ").join(map(sql.Identifier, names))
                driver.execute(sql.SQL("TRUNCATE {}").format(everything))
                for name in _parents_first(driver, names):
                    _copy_in(driver, copied[name], folder)
                _raise_sequences(driver)
                check(connection)
                schema.upgrade(connection, "head")
        finally:
            engine.dispose()


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"
        " ORDER BY relname"
    )
    return [name for (name,) in found]


def _copy_out(connection: psycopg.Connection[Any], name: str, folder: Path) -> TableCopy:
    columns = [
        column
        for (column,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
            " AND attgenerated = '' ORDER BY attnum",
            [f'"{name}"'],
        )
    ]
    rows = 0
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(*_named(name, columns))
    with connection.cursor() as cursor, cursor.copy(statement) as copy, _file(folder, name).open("wb") as file:
        for chunk in copy:
            rows += bytes(chunk).count(b"\n")  # in this format a line end in a value is written as \n, two characters
            file.write(chunk)
    return TableCopy(name, rows, columns)


def _copy_in(connection: psycopg.Connection[Any], table: TableCopy, folder: Path) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(*_named(table.name, table.columns))
    with connection.cursor() as cursor, cursor.copy(statement) as copy, _file(folder, table.name).open("rb") as file:
        while chunk := file.read(1024 * 1024):
            copy.write(chunk)


def _named(table: str, columns: Iterable[str]) -> tuple[sql.Composable, sql.Composable]:
    return sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))


def _file(folder: Path, table: str) -> Path:
    return folder / DATABASE / f"{table}.copy"


def _parents_first(connection: psycopg.Connection[Any], names: list[str]) -> list[str]:
    """In an order that foreign keys allow; those that are judged at the end of the transaction count for nothing."""
    found = connection.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
        " AND NOT condeferred AND conrelid <> confrelid AND connamespace = current_schema()::regnamespace"
    )
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    for child, parent in found:
        order.add(child.strip('"'), parent.strip('"'))
    return list(order.static_order())


def _raise_sequences(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute(
        "SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
        " AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
    ).fetchall()
    for table, column, sequence in found:
        statement = sql.SQL("SELECT setval(%s, coalesce((SELECT max({}) FROM {}), 0) + 1, false)")
        connection.execute(statement.format(sql.Identifier(column), sql.Identifier(table)), [sequence])


def _plain_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin ourselves, so that changes of tables are in the transaction too


def _write_positions(folder: Path, rows: Iterable[tuple[Any, int, int]]) -> None:
    with (folder / POSITIONS).open("w", encoding="ascii") as file:
        for conversation_id, last_seq, last_note_seq in rows:
            file.write(f"{UUID(str(conversation_id)).hex}\t{last_seq}\t{last_note_seq}\n")


def _one(rows: list[tuple[str]]) -> str:
    if len(rows) != 1:
        raise CopyRefused("The database says no revision of its schema. Run `nightdesk migrate`.")
    return rows[0][0]


def positions_in(connection: Connection) -> Iterator[str]:
    """As the file has them, from a database of either kind."""
    found = connection.execute(text("SELECT id, last_seq, last_note_seq FROM conversation ORDER BY id"))
    for conversation_id, last_seq, last_note_seq in found:
        yield f"{UUID(str(conversation_id)).hex}\t{last_seq}\t{last_note_seq}\n"
