"""Sites and departments as this process knows them: few rows that every visitor needs, read once for all.

What changes is known within five seconds. As long as nothing changes everybody is given the same object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from chat.clock import Clock
from chat.db import Database, table_of
from chat.people.models import Department, Site

FRESH_SECONDS = 5.0
MAX_SITES = 1000


@dataclass(frozen=True, slots=True)
class KnownSite:
    id: UUID
    key: str


@dataclass(frozen=True, slots=True)
class KnownDepartment:
    slug: str
    names: Mapping[str, str]

    def name_in(self, locale: str) -> str:
        return self.names.get(locale) or next(iter(self.names.values()), "")


NO_DEPARTMENT = KnownDepartment("", {})


class Catalogue:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._sites: dict[str, tuple[float, KnownSite | None]] = {}
        self._departments: Mapping[UUID, KnownDepartment] = {}
        self._departments_at = float("-inf")

    async def site(self, key: str) -> KnownSite | None:
        now = self._clock.monotonic()
        at, site = self._sites.get(key, (float("-inf"), None))
        if now - at > FRESH_SECONDS:
            if len(self._sites) > MAX_SITES:
                self._sites.clear()  # made-up keys must not fill the memory
            rows = table_of(Site)
            async with self._db.read() as session:
                found = (await session.execute(select(rows.c.id).where(rows.c.key == key))).scalar()
            if found is None:
                site = None
            elif site is None or site.id != found:
                site = KnownSite(found, key)
            self._sites[key] = (now, site)
        return site

    async def department(self, department_id: UUID) -> KnownDepartment:
        now = self._clock.monotonic()
        if now - self._departments_at > FRESH_SECONDS or department_id not in self._departments:
            rows = table_of(Department)
            async with self._db.read() as session:
                found = await session.execute(select(rows.c.id, rows.c.slug, rows.c.names))
                self._departments = {row.id: KnownDepartment(row.slug, row.names) for row in found}
            self._departments_at = now
        return self._departments.get(department_id, NO_DEPARTMENT)
