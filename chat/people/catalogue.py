"""Sites and departments as this process knows them: few rows that every visitor needs, read once for all.

What changes is known within five seconds. As long as nothing changes everybody is given the same object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from chat.clock import Clock
from chat.db import Database, table_of
from chat.people.models import Department, Site
from chat.together import Together

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
        self._found = Together(self._load_sites)
        self._all_departments = Together(self._load_departments)
        self._sites: dict[str, tuple[float, KnownSite | None]] = {}
        self._departments: Mapping[UUID, KnownDepartment] = {}
        self._departments_at = float("-inf")

    @property
    def lateness(self) -> float:
        """Seconds for which one waits who asks."""
        return max(self._found.lateness, self._all_departments.lateness)

    async def site(self, key: str) -> KnownSite | None:
        """None: there is no such site. Raises DatabaseAway."""
        now = self._clock.monotonic()
        at, site = self._sites.get(key, (float("-inf"), None))
        if now - at > FRESH_SECONDS:
            known, site = site, await self._found.get(key)
            if site == known:
                site = known
            if len(self._sites) > MAX_SITES:
                self._sites.clear()  # made-up keys must not fill the memory
            self._sites[key] = (now, site)
        return site

    async def department(self, department_id: UUID) -> KnownDepartment:
        if self._clock.monotonic() - self._departments_at > FRESH_SECONDS or department_id not in self._departments:
            self._departments = await self._all_departments.get("all") or {}
            self._departments_at = self._clock.monotonic()
        return self._departments.get(department_id, NO_DEPARTMENT)

    async def _load_sites(self, keys: Sequence[str]) -> Mapping[str, KnownSite]:
        rows = table_of(Site)
        async with self._db.read() as session:
            found = await session.execute(select(rows.c.id, rows.c.key).where(rows.c.key.in_(keys)))
            return {row.key: KnownSite(row.id, row.key) for row in found}

    async def _load_departments(self, keys: Sequence[str]) -> Mapping[str, Mapping[UUID, KnownDepartment]]:
        rows = table_of(Department)
        async with self._db.read() as session:
            found = await session.execute(select(rows.c.id, rows.c.slug, rows.c.names))
            departments = {row.id: KnownDepartment(row.slug, row.names) for row in found}
        return dict.fromkeys(keys, departments)
