"""Where the schema stands and how it comes to head. Imports every table.

Alembic does the work and is imported where there is work: a program that runs at head needs 9 MB less.
"""

import importlib
import os
import re
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, inspect, text
from sqlmodel import AutoString

from chat.db import Database, UTCDateTime, metadata

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["Behind", "differences", "history", "metadata", "migrate", "render_item", "standing", "upgrade"]


TABLES = (
    "chat.people.models",
    "chat.people.audit",
    "chat.conversations.models",
    "chat.pairing.models",
    "chat.outbox",
    "chat.files.models",
    "escalation.models",
    "escalation.sla.policy_tables",
    "escalation.desk_tables",
    "escalation.customers.models",
    "escalation.search.models",
    "escalation.mail.models",
    "escalation.shifts.models",
    "escalation.client_area.models",
)
"""Modules with tables: imported here, so that the metadata is whole whoever asks."""

for _module in TABLES:
    importlib.import_module(_module)


VERSIONS = Path(__file__).parent / "versions"
_TURN = 4_071_203_337
"""Any number that is nobody else's."""
_TURN_MS = 300_000
_REVISION = re.compile(r'^(revision|down_revision)(?:: [^=]+)? = (?:"(\w+)"|None)$', re.MULTILINE)


class Behind(Exception):
    """The database is behind this program; `nightdesk migrate` brings it to head."""


def render_item(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Our own column type by its name, and SQLModel's string as what it is."""
    if kind == "type" and isinstance(item, UTCDateTime):
        context.imports.add("from chat.db import UTCDateTime")
        return "UTCDateTime()"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def standing(db: Database) -> tuple[str | None, str | None]:
    """(revision of the database or None, head of the program)."""

    if db.is_sqlite and not os.path.exists(db.engine.url.database or ""):  # noqa: ASYNC240, PTH110 — it answers at once
        return None, history()[0]  # connecting would make it, and a question must change nothing
    async with db.engine.connect() as connection:
        current = await connection.run_sync(_current)
    return current, history()[0]


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(connection: Connection, revision: str) -> None:
    """To this revision, in the transaction of the connection."""
    from alembic import command

    command.upgrade(_config(connection), revision)


def history() -> list[str]:
    """All revisions this program knows, head first. A history has one line: a fork is an error."""
    after: dict[str | None, str] = {}
    for file in VERSIONS.glob("[0-9]*.py"):
        named = dict(_REVISION.findall(file.read_text(encoding="utf-8")))
        before = named["down_revision"] or None
        if before in after:
            raise RuntimeError(f"two migrations follow {before}: {after[before]} and {named['revision']}")
        after[before] = named["revision"]
    found: list[str] = []
    step: str | None = None
    while (step := after.get(step)) is not None:
        found.insert(0, step)
    return found


def is_behind(current: str | None) -> bool:
    """Whether this program cannot work with a database at that revision. One that it does not know was made by a newer
    program, which only added: during an upgrade, and after going back, both versions work with it."""
    return current is None or current in history()[1:]


async def migrate(db: Database, *, copy_to: Path | None = None) -> bool:
    """To head; True when there was something to do. SQLite: a copy of the file is made first, to go back to."""
    current, _head = await standing(db)
    if not is_behind(current):
        return False

    def raise_to_head(connection: Connection) -> bool:
        _take_turn(connection)
        current = _current(connection)
        if not is_behind(current):
            return False  # another program was faster
        if db.is_sqlite and copy_to is not None and current is not None:
            _copy(str(db.engine.url.database), copy_to)
        upgrade(connection, "head")
        if db.is_sqlite:
            _require_whole(connection)
        return True

    async with db.engine.connect() as connection:
        await connection.execution_options(nightdesk_write=True)
        try:
            changed = await connection.run_sync(raise_to_head)
            await connection.commit()
        finally:
            await connection.invalidate()  # it has other limits than those that serve
    return changed


def _take_turn(connection: Connection) -> None:
    """Two programs that start at once migrate one after the other. Work on a table with millions of rows takes as long
    as it takes; waiting for the lock of one has the limit of always, since all who talk wait behind it."""
    if connection.dialect.name == "sqlite":
        # A table that is made anew is dropped first: with its keys on, the rows that refer to it would go or refuse.
        for statement in (f"PRAGMA busy_timeout={_TURN_MS}", "PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"):
            connection.exec_driver_sql(statement)
        return
    for statement in (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        f"SELECT pg_advisory_xact_lock({_TURN})",
        "SET LOCAL lock_timeout TO DEFAULT",
    ):
        connection.execute(text(statement))


def _require_whole(connection: Connection) -> None:
    if (fault := connection.exec_driver_sql("PRAGMA foreign_key_check").first()) is not None:
        raise RuntimeError(f"after the migration a row of {fault[0]} refers to a missing {fault[2]}")


async def make_revision(db: Database, message: str, number: str) -> None:
    """Writes the next file of the history from what the models have and the database lacks."""
    from alembic import command

    def write(connection: Connection) -> None:
        command.revision(_config(connection), message, autogenerate=True, rev_id=number)

    async with db.engine.connect() as connection:
        await connection.run_sync(write)


async def differences(db: Database) -> list[Any]:
    """What autogenerate would still do: empty when models and history agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def look(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with db.engine.connect() as connection:
        return await connection.run_sync(look)


def _copy(source: str, folder: Path) -> None:
    """SQLite's own backup, of what stands before the transaction that is open."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    target = folder / f"{Path(source).name}.before-migration-{stamp}"
    partial = target.with_name(f"{target.name}.partial")
    try:
        # Nobody reads it who may not read the database.
        partial.touch(stat.S_IMODE(Path(source).stat().st_mode))
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(partial)) as new:
            old.backup(new)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
