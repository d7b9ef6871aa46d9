"""The administrators' pages over HTTP without a server: who is signed in is said by the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from chat.app import Nightdesk
from chat.db import Database
from chat.ids import new_id
from chat.people.models import Department, Operator
from chat.people.operators import Operators
from chat.settings import load_settings
from tests.support.clock import FakeClock

BASE = "http://127.0.0.1:8000"
OURS = {"Sec-Fetch-Site": "same-origin"}
PAGES = (
    "/console/admin/operators",
    "/console/admin/operators/new",
    "/console/admin/departments",
    "/console/admin/departments/new",
    "/console/admin/canned",
    "/console/admin/canned/new",
    "/console/admin/sites",
    "/console/admin/sites/new",
    "/console/admin/log",
    "/desk/admin/shifts",
    "/desk/admin/shifts/new",
    "/desk/admin/policies",
    "/desk/admin/policies/new",
    "/desk/admin/policies/tickets",
    "/desk/admin/calendars",
    "/desk/admin/calendars/new",
)


@dataclass
class Bureau:
    desk: Nightdesk
    http: httpx2.AsyncClient
    clock: FakeClock
    ada: Operator
    """The administrator."""

    @property
    def db(self) -> Database:
        return self.desk.db

    async def person(self, name: str, role: str = "operator") -> Operator:
        operators = Operators(self.db, self.clock, self.desk.sign_in.passwords)
        return await operators.create(email=f"{name.lower()}@acme.example", name=name, role=role)

    async def sign_in(self, operator: Operator) -> None:
        self.http.cookies.clear()
        link = await self.desk.sign_in.make_link(operator.id)
        answer = await self.http.post(link.removeprefix(BASE), headers=OURS)
        assert answer.status_code == 303

    async def post(self, path: str, **form: str) -> httpx2.Response:
        return await self.http.post(path, data=form, headers=OURS)


@asynccontextmanager
async def bureau(database_url: str, folder: Path, clock: FakeClock) -> AsyncIterator[Bureau]:
    """The program without its loops. Ada, an administrator, is signed in."""
    settings = load_settings(
        {},
        data_dir=folder,
        database_url=database_url,
        secret_key="a key for tests only, thirty-two characters",
        assets="source",
        base_url=BASE,
    )
    desk = Nightdesk(settings, clock=clock)
    transport = httpx2.ASGITransport(app=desk.starlette())
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        nobody = Operator(id=new_id(), name="", email="", settings={}, created_at=clock.now())
        found = Bureau(desk, http, clock, nobody)
        async with desk.db.write() as session:
            for slug in ("technical", "financial"):
                session.add(Department(id=new_id(), slug=slug, names={"en": slug.title(), "sl": slug.title()}))
        found.ada = await found.person("Ada", "administrator")
        await found.sign_in(found.ada)
        try:
            yield found
        finally:
            await desk.db.close()
