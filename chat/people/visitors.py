"""Visitors: tokens, labels, pages. A token is minted here and nowhere else: nobody chooses who they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import and_, bindparam, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.ids import hashed, new_id, new_secret
from chat.people.browsers import in_words
from chat.people.models import Site, Visitor
from chat.people.visits import as_stored
from chat.protocol.frames import Page

UNUSED = timedelta(days=180)
LATELY = timedelta(hours=6)
_ZONES = available_timezones()


class SomeVisitor(Protocol):
    """A row, or what a connection keeps of one."""

    @property
    def id(self) -> UUID: ...

    @property
    def site_id(self) -> UUID: ...

    @property
    def locale(self) -> str: ...

    @property
    def name(self) -> str | None: ...


@dataclass(slots=True)
class KnownVisitor:
    """What a connection keeps of its visitor: there may be thousands."""

    id: UUID
    site_id: UUID
    locale: str
    name: str | None = None
    email: str | None = None


class Visitors:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def enroll(
        self, site_id: UUID, *, locale: str, time_zone: str, browser: str, page: Page | None
    ) -> tuple[KnownVisitor, str]:
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
            pages=[as_stored(page, now)] if page else [],
            created_at=now,
            seen_at=now,
        )
        async with self._db.write() as session:
            session.add(visitor)
        return KnownVisitor(visitor.id, site_id, locale), token

    async def by_token(self, site_id: UUID, token: str) -> KnownVisitor | None:
        """For who comes without a socket. None for a token of another site, one that is over, or none at all."""
        statement = select(Visitor).where(OWNS_TOKENS, col(Visitor.site_id) == site_id)
        async with self._db.read() as session:
            parameters = token_parameters([hashed(token)], self._clock.now())
            found = (await session.execute(statement, parameters)).scalars().first()
        return KnownVisitor(found.id, found.site_id, found.locale, found.name, found.email) if found else None

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


OWNS_TOKENS = and_(
    col(Visitor.token_hash).in_(bindparam("token_hashes", expanding=True)),
    col(Visitor.seen_at) > bindparam("seen_since"),
    col(Visitor.ended_at).is_(None),
)
"""A visitor is found by their token's hash; unused for 180 days it is forgotten. Whose site it is must be asked too."""


def token_parameters(hashes: Sequence[str], now: datetime) -> dict[str, Any]:
    return {"token_hashes": list(hashes), "seen_since": now - UNUSED}


_LABEL = update(table_of(Visitor)).where(table_of(Visitor).c.id == bindparam("visitor"))
"""With the columns that it is executed with."""


async def label(session: AsyncSession, visitor_id: UUID, *, name: str, email: str) -> None:
    """Keeps what the visitor typed about themselves; empty changes nothing."""
    values: dict[str, Any] = {}
    if name.strip():
        values["name"] = name.strip()
    if email.strip():
        values["email"] = email.strip()
    if values:
        await session.execute(_LABEL, {"visitor": visitor_id, **values})


async def site_by_key(db: Database, key: str) -> Site | None:
    async with db.read() as session:
        return (await session.execute(select(Site).where(col(Site.key) == key))).scalars().first()
