"""The program without its pages: one process's hub, journal, pairing and presence on a database and a bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from chat.clock import Clock
from chat.conversations.actions import Conversations, Opening
from chat.conversations.models import Conversation
from chat.conversations.presenter import Presenter
from chat.conversations.source import StoredEntries
from chat.db import Database
from chat.hub.bell import Bell
from chat.hub.bus import Bus
from chat.hub.hub import Hub
from chat.hub.memory_bus import MemoryBus
from chat.ids import new_id
from chat.links import Links
from chat.outbox import Outbox
from chat.pairing.actions import Pairing
from chat.pairing.dispatcher import Dispatcher
from chat.pairing.presence import PresenceBook
from chat.people.models import Department, Operator, OperatorDepartment, Site
from chat.people.visitors import KnownVisitor, Visitors


class Parts:
    """One process. Several on one database and broker are several processes."""

    def __init__(self, db: Database, clock: Clock, bus: Bus | None = None) -> None:
        self.db = db
        self.clock = clock
        self.presenter = Presenter(Links("k" * 40, "http://127.0.0.1"), lambda entry, locale: f"<li>{entry.seq}</li>")
        self.hub = Hub(bus or MemoryBus(), StoredEntries(db, self.presenter))
        self.bell = Bell(self.hub)
        self.outbox = Outbox(db, clock, self.bell)
        self.conversations = Conversations(db, clock, self.hub, self.outbox, self.presenter, self.bell)
        self.pairing = Pairing(db, clock, self.hub, self.conversations, 30)
        self.presence = PresenceBook(db, clock, self.pairing.staff_changed)
        self.dispatcher = Dispatcher(db, clock, self.hub, self.pairing, 45)
        self.visitors = Visitors(db, clock)

    async def start(self) -> None:
        await self.presence.start()
        await self.hub.start()
        await self.conversations.journal.start()

    async def stop(self) -> None:
        await self.conversations.journal.stop()
        await self.hub.stop()

    async def visitor(self, site: Site) -> KnownVisitor:
        visitor, _ = await self.visitors.enroll(site.id, locale="en", time_zone="", browser="", page=None)
        return visitor

    async def conversation(self, site: Site, text: str = "Hello there", department: str = "") -> Conversation:
        visitor = await self.visitor(site)
        return await self.conversations.start(visitor, Opening(f"start-{new_id()}", text, department=department))

    async def operator(self, name: str, *, capacity: int = 5, departments: tuple[UUID, ...] = ()) -> Operator:
        operator = Operator(
            id=new_id(),
            email=f"{name}-{new_id()}@desk.example",
            name=name,
            capacity=capacity,
            settings={},
            created_at=self.clock.now(),
        )
        async with self.db.write() as session:
            session.add(operator)
            await session.flush()
            for department_id in departments:
                session.add(OperatorDepartment(operator_id=operator.id, department_id=department_id))
        return operator

    async def furnish(self) -> tuple[Site, list[Department]]:
        """A site and two departments."""
        site = Site(
            id=new_id(),
            key=f"site-{new_id().hex[:12]}",
            name="Polaris",
            origins=["https://www.polaris.example"],
            settings={},
            created_at=self.clock.now(),
        )
        departments = [
            Department(id=new_id(), slug=slug, names={"en": slug.title(), "sl": slug.title()}, position=position)
            for position, slug in enumerate(("technical", "financial"))
        ]
        async with self.db.write() as session:
            session.add(site)
            for department in departments:
                session.add(department)
        return site, departments


@asynccontextmanager
async def running(db: Database, clock: Clock, bus: Bus | None = None) -> AsyncIterator[Parts]:
    parts = Parts(db, clock, bus)
    await parts.start()
    try:
        yield parts
    finally:
        await parts.stop()
