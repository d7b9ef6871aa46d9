"""Solved tickets become closed when nothing was said for 14 days: once, whoever looks, and never over a message."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from chat.db import Database
from escalation import closing
from escalation.closing import Closing
from escalation.desk.timeline import event_text
from escalation.errors import TicketClosed
from escalation.models import Ticket, TicketEvent
from escalation.states import State
from tests.support.clock import FakeClock
from tests.support.tickets import Company, company

FORTNIGHT = timedelta(days=14).total_seconds()


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def current(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def solved(acme: Company) -> Ticket:
    await acme.another_visitor()
    ticket = await acme.ticket()
    return await acme.tickets.reply(
        ticket.id, acme.as_omar, "Done", version=ticket.version, ref=uuid4().hex, then=State.SOLVED
    )


async def ends(acme: Company, ticket: Ticket) -> list[str]:
    """The lines of the history that say it was closed."""
    c = acme.strings.catalogue("en")
    async with acme.db.read() as session:
        events = await session.exec(
            select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(col(TicketEvent.seq))
        )
        return [event_text(one, {}, c, ZoneInfo("UTC")) for one in events if one.data.get("to") == "closed"]


async def test_solved_and_quiet_for_14_days_is_closed_and_says_why(acme: Company) -> None:
    ticket = await solved(acme)
    await acme.another_visitor()
    live = await acme.ticket()
    acme.clock.advance(FORTNIGHT)
    assert await Closing(acme.tickets, 14).round() == 0, "not before the days are over"
    acme.clock.advance(1)
    assert await Closing(acme.tickets, 14).round() == 1
    found = await current(acme, ticket)
    assert (found.state, found.closed_reason, found.closed_at) == ("closed", "done", acme.clock.now())
    assert await ends(acme, ticket) == ["Closed after 14 days without a message"]
    assert (await current(acme, live)).open, "what is not solved waits for somebody"
    with pytest.raises(TicketClosed):
        await acme.tickets.answer(ticket.id, "Again", ref=uuid4().hex)


async def test_many_workers_close_each_once_whatever_fits_in_a_batch(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "AT_ONCE", 2)
    tickets = [await solved(acme) for _ in range(5)]
    acme.clock.advance(FORTNIGHT + 1)
    counts = await asyncio.gather(*(Closing(acme.tickets, 14).round() for _ in range(3)))
    assert sum(counts) == 5
    for ticket in tickets:
        assert len(await ends(acme, ticket)) == 1


async def test_a_message_counts_and_a_note_does_not(acme: Company) -> None:
    noted, answered = await solved(acme), await solved(acme)
    acme.clock.advance(FORTNIGHT)
    await acme.tickets.note(noted.id, acme.as_omar, "Still quiet", ref=uuid4().hex)
    await acme.tickets.reply(
        answered.id, acme.as_omar, "One more thing", version=answered.version, ref=uuid4().hex
    )  # fmt: skip
    acme.clock.advance(1)
    assert await Closing(acme.tickets, 14).round() == 1
    assert [(await current(acme, one)).state for one in (noted, answered)] == ["closed", "solved"]
    acme.clock.advance(FORTNIGHT)
    assert await Closing(acme.tickets, 14).round() == 1


async def test_what_was_just_said_in_the_conversation_opens_it_first(acme: Company) -> None:
    conversation_id = await acme.conversation("The server does not answer")
    ticket = (await acme.escalate(conversation_id)).ticket
    await acme.tickets.reply(
        ticket.id, acme.as_omar, "Done", version=ticket.version, ref=uuid4().hex, then=State.SOLVED
    )  # fmt: skip
    acme.clock.advance(FORTNIGHT + 1)
    await acme.says(conversation_id, "It is down again")  # no worker has copied it yet
    assert await Closing(acme.tickets, 14).round() == 0
    found = await current(acme, ticket)
    assert (found.state, found.operators_turn) == ("open", True)
