"""A company with two departments, two operators and one visitor, and the tickets of it, on a given database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.actions import Conversations, Opening
from chat.conversations.entry import Author
from chat.conversations.presenter import Presenter
from chat.db import Database
from chat.hub.bell import Bell
from chat.hub.feed import FeedKey, StreamEntry
from chat.hub.hub import Hub
from chat.hub.memory_bus import MemoryBus
from chat.ids import new_id, new_secret
from chat.links import Links
from chat.outbox import Outbox
from chat.pairing.actions import Pairing
from chat.pairing.duties import Duties
from chat.people.models import Department, Operator, OperatorDepartment, Site, Visitor
from chat.strings import Strings
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.directory import Directory
from escalation.draft import TicketDraft
from escalation.handoff import draft_ticket
from escalation.models import Ticket
from escalation.opening import Opened, open_ticket
from escalation.reach import OperatorReader, reader_of
from escalation.shifts.keeper import ShiftKeeper
from escalation.store import QueuedTicket, Wanted, places, queued
from escalation.worker import EscalationWorker
from tests.support.clock import FakeClock

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, long enough for links"


class NoEntries:
    """Nobody follows a stream here, so nothing is ever filled from the rows."""

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        return []

    async def heads(self, known: object) -> dict[FeedKey, int]:
        return {}

    def encode(self, entry: StreamEntry) -> bytes | None:
        return None

    def decode(self, key: FeedKey, data: bytes) -> StreamEntry:
        raise ValueError("nobody encoded it")


@dataclass
class Company:
    db: Database
    clock: FakeClock
    hub: Hub
    conversations: Conversations
    tickets: Tickets
    worker: EscalationWorker
    pairing: Pairing
    shifts: ShiftKeeper
    duties: Duties
    links: Links
    strings: Strings
    nudges: list[tuple[str, str]]
    visitor: Visitor
    omar: Operator
    nina: Operator

    @property
    def as_omar(self) -> Actor:
        return Actor("operator", self.omar.name, self.omar.id)

    @property
    def as_nina(self) -> Actor:
        return Actor("operator", self.nina.name, self.nina.id)

    async def conversation(self, *texts: str, email: str = "") -> UUID:
        """Ann says these things."""
        opening = Opening(uuid4().hex, texts[0] if texts else "Hello", name="Ann", email=email)
        found = await self.conversations.start(self.visitor, opening)
        for text in texts[1:]:
            await self.says(found.id, text)
        return found.id

    async def says(self, conversation_id: UUID, text: str) -> None:
        author = Author("visitor", self.visitor.id, "Ann")
        await self.conversations.say(conversation_id, author, text, uuid4().hex)

    async def draft(self, conversation_id: UUID) -> TicketDraft:
        transcript = await self.conversations.transcript_of(conversation_id)
        assert transcript is not None
        return draft_ticket(transcript, LJUBLJANA)

    async def escalate(self, conversation_id: UUID, actor: Actor | None = None) -> Opened:
        draft = await self.draft(conversation_id)
        return await open_ticket(
            self.tickets, draft, conversation_id, actor or self.as_omar, channel="chat", zone=LJUBLJANA
        )

    async def ticket(self, *texts: str) -> Ticket:
        return (await self.escalate(await self.conversation(*(texts or ("The server does not answer",))))).ticket

    async def reader(self, operator: Operator | None = None) -> OperatorReader:
        async with self.db.read() as session:
            return await reader_of(session, operator or self.omar)

    async def operator(self, name: str, *departments: str, role: str = "operator") -> Operator:
        """Somebody new, in these departments."""
        made = Operator(
            id=new_id(), email=f"{name.lower()}@acme.example", name=name, role=role, settings={},
            created_at=self.clock.now(),
        )  # fmt: skip
        async with self.db.write() as session:
            session.add(made)
            await session.flush()
            for one in await session.exec(select(Department).where(col(Department.slug).in_(departments))):
                session.add(OperatorDepartment(operator_id=made.id, department_id=one.id))
        return made

    async def another_visitor(self) -> None:
        self.visitor = await self.new_visitor()

    async def new_visitor(self) -> Visitor:
        return await add_visitor(self.db, self.visitor.site_id, self.clock)

    async def conversation_of(self, visitor: Visitor, text: str, department: str = "") -> UUID:
        opening = Opening(uuid4().hex, text, name="Ann", department=department)
        return (await self.conversations.start(visitor, opening)).id


@asynccontextmanager
async def company(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    links = Links(SECRET, "http://127.0.0.1:8000")
    hub = Hub(MemoryBus(), NoEntries())
    nudges: list[tuple[str, str]] = []
    hub.on("nudge", lambda topic, news: nudges.append((news["topic"], news["id"])))
    bell = Bell(hub)
    outbox = Outbox(db, clock, bell)
    conversations = Conversations(db, clock, hub, outbox, Presenter(links, lambda entry, locale: ""), bell)
    strings = Strings.load([ROOT / "chat" / "strings", ROOT / "widget" / "strings", ROOT / "escalation" / "strings"])
    tickets = Tickets(db, clock, conversations, outbox, Directory(db), strings)
    worker = EscalationWorker(tickets, LJUBLJANA)
    pairing = Pairing(db, clock, hub, conversations, 30)
    duties = Duties(db, hub, conversations)
    shifts = ShiftKeeper(tickets, duties, LJUBLJANA)
    visitor, omar, nina = await _people(db, clock)
    await hub.start()
    await conversations.journal.start()
    try:
        yield Company(
            db, clock, hub, conversations, tickets, worker, pairing, shifts, duties, links, strings, nudges, visitor,
            omar, nina,
        )  # fmt: skip
    finally:
        await conversations.journal.stop()
        await hub.stop()


async def _people(db: Database, clock: FakeClock) -> tuple[Visitor, Operator, Operator]:
    now = clock.now()
    site_id, technical, financial = new_id(), new_id(), new_id()
    async with db.write() as session:
        session.add(
            Site(id=site_id, key="acme", name="Acme", origins=["https://acme.example"], settings={}, created_at=now)
        )
        session.add(Department(id=technical, slug="technical", names={"en": "Technical", "sl": "Tehnični"}, position=0))
        session.add(Department(id=financial, slug="financial", names={"en": "Financial", "sl": "Finančni"}, position=1))
        omar = Operator(id=new_id(), email="omar@acme.example", name="Omar", settings={}, created_at=now)
        nina = Operator(id=new_id(), email="nina@acme.example", name="Nina", settings={}, created_at=now)
        session.add(omar)
        session.add(nina)
        await session.flush()
        for operator in (omar, nina):
            session.add(OperatorDepartment(operator_id=operator.id, department_id=technical))
    return await add_visitor(db, site_id, clock), omar, nina


async def add_visitor(db: Database, site_id: UUID, clock: FakeClock) -> Visitor:
    visitor = Visitor(
        id=new_id(),
        site_id=site_id,
        token_hash=new_secret(),
        name="Ann",
        pages=[],
        browser="Firefox 140",
        time_zone="Europe/Helsinki",
        created_at=clock.now(),
        seen_at=clock.now(),
    )
    async with db.write() as session:
        session.add(visitor)
    return visitor


async def queue_of(
    session: AsyncSession, reader: OperatorReader, wanted: Wanted, *, after: str = "", limit: int = 50
) -> Sequence[QueuedTicket]:
    """A page of tickets alone."""
    return await queued(session, list((await places(session, reader, wanted, after=after, limit=limit)).values()))
