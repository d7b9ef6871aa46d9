"""Page trails: what visitors look at, written for all of them together. A label for the operator, and no more: what
cannot be written within a minute is forgotten."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select, update

from chat.clock import Clock
from chat.db import Database, DatabaseAway, table_of
from chat.people.models import Visitor
from chat.protocol.frames import Page

TOGETHER_SECONDS = 0.5
AT_A_TIME = 500
MOST_WAITING = 20_000
PAGES = 10

log = structlog.get_logger(__name__)


class Visits:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._waiting: dict[UUID, list[tuple[Page, datetime]]] = {}
        self._wake = asyncio.Event()

    def note(self, visitor_id: UUID, page: Page) -> None:
        """Written soon: the page joins the trail, and the visitor counts as seen."""
        if len(self._waiting) < MOST_WAITING:
            pages = self._waiting.setdefault(visitor_id, [])
            if not pages or pages[-1][0].url != page.url:
                pages.append((page, self._clock.now()))
                del pages[:-PAGES]
            self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(TOGETHER_SECONDS)
            self._wake.clear()
            try:
                await self.write()
            except DatabaseAway:
                log.warning("page trails could not be written")

    async def write(self) -> None:
        """All that waits."""
        while self._waiting:
            ids = list(self._waiting)[:AT_A_TIME]
            noted = {visitor_id: self._waiting.pop(visitor_id) for visitor_id in ids}
            await self._write(noted)

    async def _write(self, noted: dict[UUID, list[tuple[Page, datetime]]]) -> None:
        rows = table_of(Visitor)
        async with self._db.write() as session:
            # In the order of their ids, so that two processes with the same visitors cannot wait for each other.
            found = await session.execute(
                select(rows.c.id, rows.c.pages).where(rows.c.id.in_(noted)).order_by(rows.c.id).with_for_update()
            )
            changed = [
                {"visitor": row.id, "trail": _trail(row.pages, noted[row.id]), "seen": noted[row.id][-1][1]}
                for row in found
            ]
            if changed:
                values: dict[Any, Any] = {rows.c.pages: bindparam("trail"), rows.c.seen_at: bindparam("seen")}
                connection = await session.connection()
                await connection.execute(update(rows).where(rows.c.id == bindparam("visitor")).values(values), changed)


def _trail(pages: list[dict[str, Any]], visits: list[tuple[Page, datetime]]) -> list[dict[str, Any]]:
    trail = list(pages)
    for page, at in visits:
        if not trail or trail[-1]["url"] != page.url:
            trail.append(as_stored(page, at))
    return trail[-PAGES:]


def as_stored(page: Page, at: datetime) -> dict[str, str]:
    return {"url": page.url, "title": page.title, "at": at.isoformat()}
