"""Fresh databases with all tables, copied from a template that is made once per run of pytest."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg

from chat.db import Database
from chat.migrations.schema import migrate
from tests.support.servers import PostgresServer


class SqliteMaker:
    """Each `make` copies the template file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.sqlite3"

    def make(self, *, empty: bool = False) -> str:
        path = self._folder / f"{uuid4().hex}.sqlite3"
        if not empty:
            if not self._template.exists():
                _create_all(f"sqlite:///{self._template}")
            shutil.copy(self._template, path)
        return f"sqlite:///{path}"


class PostgresMaker:
    """Each `make` is a CREATE DATABASE from the template."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._template: str | None = None

    def make(self, *, empty: bool = False) -> str:
        if not empty and self._template is None:
            self._template = self._create("template0")
            _create_all(self._server.url(self._template))
        name = self._create("template0" if empty or self._template is None else self._template)
        return self._server.url(name)

    def _create(self, template: str) -> str:
        name = f"nd_{uuid4().hex}"
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
        return name


def _create_all(url: str) -> None:
    async def create() -> None:
        db = Database(url)
        try:
            await migrate(db)
            if db.is_sqlite:
                # One file to copy, without its log beside it.
                async with db.engine.connect() as connection:
                    await connection.exec_driver_sql("COMMIT")
                    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            await db.close()

    # The caller may be a fixture inside a running loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, create()).result()
