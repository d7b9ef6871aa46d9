"""What is said just before a ticket lets its conversation go still arrives on the other side. On both databases."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from chat.conversations.entry import Author
from chat.db import Database
from escalation import spam
from escalation.detaching import detach
from escalation.models import Ticket
from escalation.relations import merge
from escalation.states import State
from tests.support.clock import FakeClock
from tests.support.tickets import Company, company

REPLY, ANSWER = "It answers again", "From my page"


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def version_of(acme: Company, ticket: Ticket) -> int:
    async with acme.db.read() as session:
        return (await session.get_one(Ticket, ticket.id)).version


async def said_in(acme: Company, conversation: UUID) -> list[str]:
    transcript = await acme.conversations.transcript_of(conversation)
    assert transcript is not None
    return [message.text for message in transcript.messages]


async def opened(acme: Company, text: str) -> tuple[UUID, Ticket]:
    conversation = await acme.conversation(text)
    return conversation, (await acme.escalate(conversation)).ticket


async def ended(acme: Company, conversation: UUID) -> None:
    await acme.pairing.take(conversation, acme.omar)
    await acme.pairing.end(conversation, Author("operator", acme.omar.id, acme.omar.name))
    acme.clock.advance(60)


async def let_go(acme: Company, ticket: Ticket, how: str, other: Ticket) -> None:
    version = await version_of(acme, ticket)
    match how:
        case "closed":
            await acme.tickets.change_state(ticket.id, acme.as_omar, State.CLOSED, version=version)
        case "detached":
            await detach(acme.tickets, ticket.id, acme.as_omar)
        case "spam":
            await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=version)
        case "merged":
            await merge(acme.tickets, ticket.id, other.id, acme.as_omar, version=version)


async def test_a_reply_reaches_the_conversation_whatever_becomes_of_its_ticket(acme: Company) -> None:
    found = {}
    for how in ("kept", "closed", "detached", "spam", "merged", "closed with it"):
        await acme.another_visitor()
        before, other = await opened(acme, "The mail does not arrive")
        await ended(acme, before)
        conversation, ticket = await opened(acme, "The server does not answer")
        await acme.tickets.answer(ticket.id, ANSWER, ref="answer-0001")
        version, then = await version_of(acme, ticket), State.CLOSED if how == "closed with it" else None
        await acme.tickets.reply(ticket.id, acme.as_omar, REPLY, version=version, ref="reply-0001", then=then)
        await let_go(acme, ticket, how, other)
        while await acme.tickets.outbox.work_once():
            pass
        await acme.worker.sweep()
        found[how] = await said_in(acme, conversation), await said_in(acme, before)
    whole = ["The server does not answer", ANSWER, REPLY], ["The mail does not arrive"]
    assert found == dict.fromkeys(found, whole)
    assert len(found) == 6
