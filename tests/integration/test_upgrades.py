"""A newer program on an older database: SQLite comes to head by itself and leaves a copy to go back to, PostgreSQL is
refused until somebody says so."""

import asyncio
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from chat import program
from chat.db import Database
from chat.migrations import schema
from chat.settings import Settings, load_settings
from tests.support.databases import PostgresMaker

SECRET = "a key for tests only, thirty-two characters"
SITE = "INSERT INTO site (id, key, name, origins, locale, settings, created_at) VALUES"
VALUES = "('0198c0de000070008000000000000001', 'acme', 'Acme', '[]', 'en', '{}', '2026-01-01 00:00:00+00')"


def old(settings: Settings) -> None:
    """The first schema, with a site in it."""
    url = settings.effective_database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.begin() as connection:
        schema.upgrade(connection, "0001")
        connection.exec_driver_sql(f"{SITE} {VALUES}")
    engine.dispose()


def standing(settings: Settings) -> tuple[str | None, str | None]:
    return asyncio.run(program.standing(settings))


@pytest.fixture
def sqlite(tmp_path: Path) -> Settings:
    settings = load_settings({}, data_dir=tmp_path, secret_key=SECRET)
    old(settings)
    settings.sqlite_path.chmod(0o600)
    return settings


@pytest.fixture
def postgres(tmp_path: Path, postgres_maker: PostgresMaker) -> Settings:
    settings = load_settings({}, data_dir=tmp_path, secret_key=SECRET, database_url=postgres_maker.make(empty=True))
    old(settings)
    return settings


def copies(settings: Settings) -> list[Path]:
    return sorted(settings.data_dir.glob("nightdesk.sqlite3.before-migration-*"))


def test_sqlite_comes_to_head_at_start_and_leaves_a_copy_that_can_be_gone_back_to(sqlite: Settings) -> None:
    desk = program.ready_desk(sqlite)
    asyncio.run(desk.db.close())
    current, head = standing(sqlite)
    assert current == head != "0001"
    (copy,) = copies(sqlite)
    assert copy.stat().st_mode == sqlite.sqlite_path.stat().st_mode
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT key FROM site").fetchall() == [("acme",)]
    connection.close()
    # The way back that the README says: the copy in the file's place.
    for path in sqlite.data_dir.glob("nightdesk.sqlite3-*"):
        path.unlink()
    shutil.copy(copy, sqlite.sqlite_path)
    assert standing(sqlite)[0] == "0001"


def test_at_head_nothing_is_copied(sqlite: Settings) -> None:
    for _ in range(3):
        asyncio.run(program.ready_desk(sqlite).db.close())
    assert len(copies(sqlite)) == 1


def test_a_fresh_sqlite_database_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path / "new", secret_key=SECRET)
    asyncio.run(program.ready_desk(settings).db.close())
    assert copies(settings) == []


def test_the_copy_holds_what_was_still_in_the_log_of_sqlite(sqlite: Settings) -> None:
    writer = sqlite3.connect(sqlite.sqlite_path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE site SET name = 'In the log'")
    writer.commit()
    asyncio.run(program.migrate_now(sqlite))
    (copy,) = copies(sqlite)
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT name FROM site").fetchall() == [("In the log",)]
    connection.close()
    writer.close()


def test_postgresql_behind_head_is_refused_unchanged_until_migrate(postgres: Settings) -> None:
    with pytest.raises(schema.Behind, match="nightdesk migrate"):
        program.ready_desk(postgres)
    with pytest.raises(schema.Behind, match="nightdesk migrate"):
        program.run_worker(postgres)
    assert standing(postgres)[0] == "0001"
    assert asyncio.run(program.migrate_now(postgres))
    desk = program.ready_desk(postgres)
    asyncio.run(desk.db.close())

    async def sites() -> list[str]:
        db = Database(postgres.effective_database_url)
        async with db.engine.connect() as connection:
            found = (await connection.exec_driver_sql("SELECT key FROM site")).scalars().all()
        await db.close()
        return list(found)

    assert asyncio.run(sites()) == ["acme"]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_of_several_that_migrate_at_once_one_does_it(engine: str, request: pytest.FixtureRequest) -> None:
    settings: Settings = request.getfixturevalue(engine)
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda _: asyncio.run(program.migrate_now(settings)), range(4)))
    assert sorted(changed) == [False, False, False, True]
    assert standing(settings)[0] == standing(settings)[1]
    assert len(copies(settings)) == (engine == "sqlite")


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_is_behind_when_several_start_is_raised_once(engine: str, request: pytest.FixtureRequest) -> None:
    """Each begins with its own first tables, departments and key."""
    settings: Settings = request.getfixturevalue(engine)

    def begin(_number: int) -> str:
        asyncio.run(program.migrate_now(settings))
        desk = program.ready_desk(settings)
        asyncio.run(desk.db.close())
        return desk.settings.base_url

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(begin, range(4)))) == 4


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    sqlite: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = schema.upgrade

    def failing(connection: Connection, _revision: str) -> None:
        upgrade(connection, "0003")
        raise RuntimeError("the next step fails")

    monkeypatch.setattr(schema, "upgrade", failing)
    with pytest.raises(RuntimeError, match="the next step"):
        program.ready_desk(sqlite)
    assert standing(sqlite)[0] == "0001"
