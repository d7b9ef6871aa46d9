"""A word reaches the other windows at once, also where another process than the one that took it does the work.

Nobody looks by themselves here: what is not rung for comes in an hour.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

import chat.outbox
import escalation.mail.worker
import escalation.worker
from chat.app import Nightdesk
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.patience import at_most
from escalation.change import Actor
from escalation.handoff import draft_ticket
from escalation.mail.letter import SIGN_IN, Letter
from escalation.models import Ticket, TicketMessage
from escalation.opening import open_ticket
from tests.support.databases import PostgresMaker
from tests.support.mail_server import MailServer, mail_server
from tests.support.program import Frame, Running, program
from tests.support.tickets import LJUBLJANA

HOUR = 3600.0


class Desk:
    """One process that serves and two that work, on one bus."""

    def __init__(self, serve: Running, mail: MailServer) -> None:
        self.serve = serve
        self.mail = mail
        self._nudged = asyncio.Event()
        serve.desk.conversations.follow_nudges()
        serve.desk.conversations.on_nudge(lambda _topic, _about: self._nudged.set())

    async def until_ticket_has(self, ticket: Ticket, text: str) -> None:
        """Looks again whenever pages that show tickets are told to."""
        async with asyncio.timeout(20):
            while text not in await self.texts(ticket):
                await self._nudged.wait()
                self._nudged.clear()

    async def ticket(self, ticket: Ticket) -> Ticket:
        async with self.serve.desk.db.read() as session:
            return await session.get_one(Ticket, ticket.id)

    async def texts(self, ticket: Ticket) -> list[str]:
        async with self.serve.desk.db.read() as session:
            of_ticket = select(TicketMessage).where(TicketMessage.ticket_id == ticket.id)
            found = await session.exec(of_ticket.order_by(col(TicketMessage.seq)))
            return [one.text for one in found if one.kind == "message"]


@pytest.fixture
async def desk(tmp_path: Path, postgres_maker: PostgresMaker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(chat.outbox, "POLL_SECONDS", HOUR)
    monkeypatch.setattr(escalation.worker, "SWEEP_SECONDS", HOUR)
    monkeypatch.setattr(escalation.mail.worker, "POLL_SECONDS", HOUR)
    broker = MemoryBroker()
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(mail_server())
        serving = program(
            tmp_path,
            postgres_maker.make(),
            MemoryBus(broker),
            works=False,
            smtp_url=mail.url,
            mail_from="Acme <support@acme.example>",
        )
        serve = await stack.enter_async_context(serving)
        for _ in range(2):
            await stack.enter_async_context(worker(serve, broker))
        yield Desk(serve, mail)


@asynccontextmanager
async def worker(serve: Running, broker: MemoryBroker) -> AsyncIterator[None]:
    found = Nightdesk(serve.settings, bus=MemoryBus(broker))
    heard = asyncio.Event()
    found.bell.on("hello", lambda _ids: heard.set())
    await found.start_worker()
    try:
        async with asyncio.timeout(20):
            while not heard.is_set():  # until both know of each other
                serve.desk.bell.ring("hello")
                await at_most(0.1, heard)
        yield
    finally:
        await found.stop()


def shows(text: str) -> Callable[[Frame], bool]:
    return lambda frame: text in [entry.get("text") for entry in frame["entries"]]


async def test_said_in_one_window_it_stands_in_the_others_by_a_ring_alone(desk: Desk) -> None:
    serve, tickets = desk.serve, desk.serve.desk.escalation.tickets
    omar = await serve.operator("Omar")
    ann = await serve.visitor_who_said("The shop is down")
    conversation, actor = UUID(ann.conversation), Actor("operator", omar.name, omar.id)
    transcript = await serve.desk.conversations.transcript_of(conversation)
    assert transcript is not None
    draft = draft_ticket(transcript, LJUBLJANA)
    ticket = (await open_ticket(tickets, draft, conversation, actor, channel="chat", zone=LJUBLJANA)).ticket

    await ann.say("It is still down")
    await desk.until_ticket_has(ticket, "It is still down")
    version = (await desk.ticket(ticket)).version
    await tickets.reply(ticket.id, actor, "It answers again", version=version, ref=uuid4().hex)
    await ann.until("said", shows("It answers again"))
    await tickets.answer(ticket.id, "From my page", ref=uuid4().hex)
    await ann.until("said", shows("From my page"))
    assert await desk.texts(ticket) == ["It is still down", "It answers again", "From my page"]

    letter = Letter(SIGN_IN, to="ann@acme.example", cause="one", locale="en", link="/x", values={"company": "Acme"})
    async with serve.desk.db.write() as session:
        await tickets.mailbox.post(session, letter)
    tickets.mailbox.wake()
    async with asyncio.timeout(20):
        await desk.mail.has_content.wait()
