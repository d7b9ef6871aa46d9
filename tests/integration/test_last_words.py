"""What is said just before a ticket lets its conversation go still arrives on the other side. On both databases."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlmodel import col, select

from chat.conversations.actions import LEFT, Opening
from chat.conversations.entry import Author
from chat.db import Database
from chat.outbox import OutboxRow
from escalation import spam
from escalation.detaching import detach
from escalation.errors import TicketMoved
from escalation.models import Ticket, TicketMessage
from escalation.relations import merge
from escalation.states import State
from tests.support.clock import FakeClock
from tests.support.tickets import Company, company

REPLY, ANSWER = "It answers again", "From my page"


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def fresh(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def texts_of(acme: Company, ticket: Ticket) -> list[str]:
    async with acme.db.read() as session:
        of_ticket = select(TicketMessage).where(TicketMessage.ticket_id == ticket.id)
        found = await session.exec(of_ticket.order_by(col(TicketMessage.seq)))
        return [one.text for one in found if one.kind == "message"]


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


async def let_go(acme: Company, ticket: Ticket, how: str, version: int = 0, other: Ticket | None = None) -> None:
    version = version or (await fresh(acme, ticket)).version
    match how:
        case "closed":
            await acme.tickets.change_state(ticket.id, acme.as_omar, State.CLOSED, version=version)
        case "detached":
            await detach(acme.tickets, ticket.id, acme.as_omar, version=version)
        case "spam":
            await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=version)
        case "merged":
            assert other is not None
            await merge(acme.tickets, ticket.id, other.id, acme.as_omar, version=version)


async def test_a_reply_reaches_the_conversation_whatever_becomes_of_its_ticket(acme: Company) -> None:
    found = {}
    for how in ("kept", "closed", "detached", "spam", "merged", "closed with it"):
        await acme.another_visitor()
        before, other = await opened(acme, "The mail does not arrive")
        await ended(acme, before)
        conversation, ticket = await opened(acme, "The server does not answer")
        await acme.tickets.answer(ticket.id, ANSWER, ref="answer-0001")
        version, then = (await fresh(acme, ticket)).version, State.CLOSED if how == "closed with it" else None
        await acme.tickets.reply(ticket.id, acme.as_omar, REPLY, version=version, ref="reply-0001", then=then)
        await let_go(acme, ticket, how, other=other)
        while await acme.tickets.outbox.work_once():
            pass
        await acme.worker.sweep()
        found[how] = await said_in(acme, conversation), await said_in(acme, before)
    whole = ["The server does not answer", ANSWER, REPLY], ["The mail does not arrive"]
    assert found == dict.fromkeys(found, whole)
    assert len(found) == 6


@pytest.mark.parametrize("how", ["closed", "spam", "closed with a reply"])
async def test_nobody_closes_a_ticket_over_a_word_they_have_not_seen(acme: Company, how: str) -> None:
    conversation, ticket = await opened(acme, "The server does not answer")
    await acme.says(conversation, "And the mail too")
    if how == "closed with a reply":
        with pytest.raises(TicketMoved):
            await acme.tickets.reply(
                ticket.id, acme.as_omar, REPLY, version=ticket.version, ref="reply-0001", then=State.CLOSED
            )
    else:
        with pytest.raises(TicketMoved):
            await let_go(acme, ticket, how, ticket.version)
    assert (await texts_of(acme, ticket), (await fresh(acme, ticket)).state) == (["And the mail too"], "open")
    await let_go(acme, ticket, "closed")
    assert (await fresh(acme, ticket)).state == "closed"


async def test_who_speaks_at_the_moment_of_closing_is_heard(acme: Company) -> None:
    conversation, ticket = await opened(acme, "The server does not answer")
    await acme.says(conversation, "And the mail too")
    with pytest.raises(TicketMoved):
        async with acme.tickets.changing(ticket.id, acme.as_omar) as change:  # nobody has looked before
            await change.lead(State.CLOSED)
    assert (await fresh(acme, ticket)).state == ticket.state


async def test_detached_or_merged_the_last_word_is_not_left_outside(acme: Company) -> None:
    conversation, target = await opened(acme, "The mail does not arrive")
    await ended(acme, conversation)
    conversation, ticket = await opened(acme, "The server does not answer")
    await acme.says(conversation, "Nor the shop")
    await let_go(acme, ticket, "merged", other=target)
    await acme.worker.sweep()
    assert await texts_of(acme, target) == ["Nor the shop"]
    await acme.says(conversation, "And the printer")
    await let_go(acme, target, "detached")
    assert await texts_of(acme, target) == ["Nor the shop", "And the printer"]


@pytest.mark.parametrize("how", ["closed", "spam"])
async def test_what_was_left_is_one_ticket_though_it_ends_before_its_row_does(acme: Company, how: str) -> None:
    opening = Opening("left-0001", "Please call me", email="ann@example.com")
    left = await acme.conversations.leave(acme.visitor, opening, None)
    async with acme.db.read() as session:
        (owed,) = await session.exec(select(OutboxRow).where(OutboxRow.kind == LEFT))
    await acme.worker.open_for_left(owed.payload)  # whose worker dies before it has noted the end
    (ticket,) = await tickets_of(acme)
    await let_go(acme, ticket, how)
    while await acme.tickets.outbox.work_once():
        pass
    await acme.conversations.leave(acme.visitor, opening, left.id)  # sent again by the browser
    while await acme.tickets.outbox.work_once():
        pass
    assert [one.id for one in await tickets_of(acme)] == [ticket.id]


async def test_what_is_left_after_the_end_of_the_first_ticket_is_another(acme: Company) -> None:
    opening = Opening("left-0001", "Please call me", email="ann@example.com")
    left = await acme.conversations.leave(acme.visitor, opening, None)
    while await acme.tickets.outbox.work_once():
        pass
    (first,) = await tickets_of(acme)
    await let_go(acme, first, "closed")
    await acme.says(left.id, "Nobody has called")
    for _ in range(2):
        again = Opening("left-0002", "Hello?", email="ann@example.com")
        await acme.conversations.leave(acme.visitor, again, left.id)
    while await acme.tickets.outbox.work_once():
        pass
    assert [one.number for one in await tickets_of(acme)] == [first.number, "T-26-000002"]


async def tickets_of(acme: Company) -> list[Ticket]:
    async with acme.db.read() as session:
        return list(await session.exec(select(Ticket).order_by(col(Ticket.number))))
