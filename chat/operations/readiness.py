"""`/readyz`: may this process have traffic? One line per check, 200 or 503.

Redis away is `degraded` with 200: conversations go on from the database. A schema that is newer than this program is
no fault either: while an upgrade rolls through the processes, those that are still to go must not all refuse at once.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import text, update
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat.db import Database, table_of
from chat.migrations import schema
from chat.pairing.models import Process
from chat.patience import Patience

ANSWER_SECONDS = 2.0
KEPT_SECONDS = 1.0
"""With the two above, a database that hangs is seen within 3 s, however often somebody asks."""
DISK_MARK = 256 * 1024 * 1024
"""Bytes. Below, SQLite is about to refuse to store."""

log = structlog.get_logger(__name__)

GOOD = ("ok", "degraded")


@dataclass(frozen=True, slots=True)
class Check:
    """`says` is ok, degraded, or in one or two words what is wrong."""

    name: str
    says: str

    @property
    def passed(self) -> bool:
        return self.says in GOOD


class Readiness:
    def __init__(
        self,
        db: Database,
        data_dir: Path,
        *,
        process_id: Callable[[], UUID],
        bus_is_up: Callable[[], bool],
        draining: Callable[[], bool],
    ) -> None:
        self._db = db
        self._data_dir = data_dir
        self._process_id = process_id
        self._bus_is_up = bus_is_up
        self._draining = draining
        self._history: list[str] | None = None
        self._database = Patience(self._ask_database, seconds=ANSWER_SECONDS, kept_seconds=KEPT_SECONDS)
        self._disk = Patience(self._ask_disk, seconds=ANSWER_SECONDS, kept_seconds=KEPT_SECONDS)

    async def checks(self) -> list[Check]:
        database, disk = await asyncio.gather(self._database_checks(), self._disk_check())
        return [
            *database,
            disk,
            Check("draining", "draining" if self._draining() else "ok"),
            Check("bus", "ok" if self._bus_is_up() else "degraded"),
        ]

    async def answer(self, _request: Request) -> Response:
        checks = await self.checks()
        ready = all(check.passed for check in checks)
        status = "ready" if ready else "not ready"
        if ready and any(check.says == "degraded" for check in checks):
            status = "degraded"
        body = {"status": status, "checks": {check.name: check.says for check in checks}}
        return JSONResponse(body, 200 if ready else 503)

    async def stop(self) -> None:
        await asyncio.gather(self._database.stop(), self._disk.stop())

    async def _database_checks(self) -> list[Check]:
        try:
            return await self._database.answer()
        except Exception as error:
            # Whatever it is, traffic should go elsewhere.
            cause = error.__cause__ or error
            log.warning("the database did not answer", error=type(cause).__name__)
            return [Check("database", "away"), Check("writable", "unknown"), Check("migrations", "unknown")]

    async def _ask_database(self) -> list[Check]:
        async with self._db.read() as session:
            found = await session.execute(text("SELECT version_num FROM alembic_version"))
            current = str(found.scalar_one())
        return [
            Check("database", "ok"),
            Check("writable", await self._writable()),
            Check("migrations", await self._standing(current)),
        ]

    async def _writable(self) -> str:
        """A write that changes nothing: a standby, a full disk or a file that is only readable refuses it."""
        rows = table_of(Process)
        try:
            async with self._db.write() as session:
                await session.execute(
                    update(rows).where(rows.c.id == self._process_id()).values(started_at=rows.c.started_at)
                )
        except Exception as error:
            cause = error.__cause__ or error
            log.warning("the database refused a write", error=type(cause).__name__)
            return "refused"
        return "ok"

    async def _standing(self, current: str) -> str:
        if self._history is None:
            self._history = await asyncio.to_thread(schema.history)
        behind = current in self._history and current != self._history[0]
        return f"behind, at {current} of {self._history[0]}" if behind else "ok"

    async def _disk_check(self) -> Check:
        try:
            free = await self._disk.answer()
        except (OSError, TimeoutError) as error:
            log.warning("the data folder could not be looked at", error=type(error).__name__)
            says = "unknown"
        else:
            says = "ok" if free >= DISK_MARK else "full"
        # With the database elsewhere conversations go on, whatever this disk does.
        return Check("disk", says if says == "ok" or self._db.is_sqlite else "degraded")

    async def _ask_disk(self) -> int:
        return (await asyncio.to_thread(shutil.disk_usage, self._data_dir)).free
