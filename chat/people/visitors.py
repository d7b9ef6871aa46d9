"""Visitors: tokens, labels, pages. A token is minted here and nowhere else (security.md T2)."""

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.ids import hashed, new_id, new_secret
from chat.people.browsers import in_words
from chat.people.models import Site, Visitor
from chat.protocol.frames import Page

UNUSED = timedelta(days=180)
LATELY = timedelta(hours=6)
PAGES = 10
_ZONES = available_timezones()


class Visitors:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def enroll(
        self, site_id: UUID, *, locale: str, time_zone: str, browser: str, page: Page | None
    ) -> tuple[Visitor, str]:
        """A new visitor and the token, which exists nowhere else afterwards."""
        token = new_secret()
        now = self._clock.now()
        visitor = Visitor(
            id=new_id(),
            site_id=site_id,
            token_hash=hashed(token),
            locale=locale,
            time_zone=time_zone if time_zone in _ZONES else None,
            browser=in_words(browser) or None,
            pages=[_page(page, now.isoformat())] if page else [],
            created_at=now,
            seen_at=now,
        )
        async with self._db.write() as session:
            session.add(visitor)
        return visitor, token

    async def by_token(self, site_id: UUID, token: str) -> Visitor | None:
        """Found by hash, for this site only; unused for 180 days it is forgotten."""
        statement = select(Visitor).where(
            col(Visitor.token_hash) == hashed(token),
            col(Visitor.site_id) == site_id,
            col(Visitor.seen_at) > self._clock.now() - UNUSED,
            col(Visitor.ended_at).is_(None),
        )
        async with self._db.read() as session:
            return (await session.execute(statement)).scalars().first()

    async def end_access(self, visitor_id: UUID) -> bool:
        """The token is worth nothing from now on, and open sockets are closed. False: there was none to end."""
        rows = table_of(Visitor)
        async with self._db.write() as session:
            ended = await session.execute(
                update(rows)
                .where(rows.c.id == visitor_id, rows.c.ended_at.is_(None))
                .values(ended_at=self._clock.now())
            )
        return rows_changed(ended) == 1

    async def ended_lately(self) -> list[UUID]:
        """The window is so wide that no difference between clocks matters."""
        rows = table_of(Visitor)
        statement = select(rows.c.id).where(rows.c.ended_at > self._clock.now() - LATELY)
        async with self._db.read() as session:
            return list((await session.execute(statement)).scalars())

    async def visited(self, visitor_id: UUID, page: Page) -> None:
        """Adds to the page trail and marks the visitor as seen."""
        now = self._clock.now()
        async with self._db.write() as session:
            visitor = await session.get(Visitor, visitor_id)
            if visitor is None:
                return
            pages = list(visitor.pages)
            entry = _page(page, now.isoformat())
            if not pages or pages[-1]["url"] != entry["url"]:
                pages.append(entry)
            await session.execute(
                update(table_of(Visitor))
                .where(table_of(Visitor).c.id == visitor_id)
                .values(pages=pages[-PAGES:], seen_at=now)
            )


def _page(page: Page, at: str) -> dict[str, str]:
    return {"url": page.url, "title": page.title, "at": at}


async def label(session: AsyncSession, visitor_id: UUID, *, name: str, email: str) -> None:
    """Keeps what the visitor typed about themselves; empty changes nothing."""
    values: dict[str, Any] = {}
    if name.strip():
        values["name"] = name.strip()
    if email.strip():
        values["email"] = email.strip()
    if values:
        rows = table_of(Visitor)
        await session.execute(update(rows).where(rows.c.id == visitor_id).values(**values))


async def site_by_key(db: Database, key: str) -> Site | None:
    async with db.read() as session:
        return (await session.execute(select(Site).where(col(Site.key) == key))).scalars().first()
