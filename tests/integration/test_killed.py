"""A worker that is killed at each step of its way: one ticket, one reply, one alarm, one mail, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.conversations.actions import Opening
from chat.conversations.models import Message
from chat.outbox import OutboxRow
from escalation.mail.models import MailOut
from escalation.mail.worker import LEASE
from escalation.models import SlaClock, SlaEvent, Ticket, TicketConversation, TicketEvent
from tests.support.clock import FakeClock
from tests.support.mortal import MortalDatabase, killed_at_each_step
from tests.support.post_office import PostOffice, post_office
from tests.support.tickets import Company, company


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[MortalDatabase]:
    found = MortalDatabase(database_url)
    try:
        yield found
    finally:
        await found.close()


@pytest.fixture
async def acme(db: MortalDatabase, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


@pytest.fixture
async def office(db: MortalDatabase, acme: Company) -> AsyncIterator[PostOffice]:
    async with post_office(db, acme.clock, acme.tickets.mailbox) as found:
        yield found


async def work_off(acme: Company, office: PostOffice) -> None:
    while await acme.tickets.outbox.work_once():
        pass
    await office.send_due()


async def test_a_message_left_is_one_ticket_and_one_question(
    db: MortalDatabase, acme: Company, office: PostOffice
) -> None:
    async def leaves() -> tuple[UUID, str]:
        await acme.another_visitor()
        email = f"ann.{uuid4().hex[:8]}@example.com"
        left = await acme.conversations.leave(acme.visitor, Opening(uuid4().hex, "Please call me", email=email), None)
        return left.id, email

    async def is_one(left: tuple[UUID, str]) -> None:
        conversation_id, email = left
        async with db.read() as session:
            ties = await session.exec(
                select(TicketConversation).where(TicketConversation.conversation_id == conversation_id)
            )
            assert len(ties.all()) == 1
            assert len((await session.exec(select(Ticket).where(Ticket.requester_email == email))).all()) == 1
            cards = await session.exec(
                select(Message).where(Message.conversation_id == conversation_id, Message.kind == "card")
            )
            assert len(cards.all()) == 1
            (mail,) = (await session.exec(select(MailOut).where(MailOut.recipient == email))).all()
        assert mail.state == "accepted"
        assert {str(one.message["Message-ID"]) for one in office.server.taken if one.recipient == email} == {
            mail.message_id
        }

    died = await killed_at_each_step(
        db, leaves, lambda: work_off(acme, office), lambda: acme.clock.advance(LEASE.total_seconds()), is_one
    )
    assert died >= 15  # three in each of: claim, ticket, end of the row; claim of the mail, its end


async def test_a_reply_stands_once_in_the_conversation_and_is_one_mail(
    db: MortalDatabase, acme: Company, office: PostOffice
) -> None:
    async def is_answered() -> tuple[UUID, str]:
        await acme.another_visitor()
        email = f"ann.{uuid4().hex[:8]}@example.com"
        conversation_id = await acme.conversation("Down", email=email)
        ticket = (await acme.escalate(conversation_id)).ticket
        async with db.write() as session:
            fresh = await session.get_one(Ticket, ticket.id)
            fresh.verify_level, fresh.contact_channel = 2, "form"
            version = fresh.version
        await office.send_due()
        office.server.taken.clear()
        await acme.tickets.reply(ticket.id, acme.as_omar, "It runs again.", version=version, ref=uuid4().hex)
        return conversation_id, email

    async def is_one(answered: tuple[UUID, str]) -> None:
        conversation_id, email = answered
        transcript = await acme.conversations.transcript_of(conversation_id)
        assert transcript is not None
        assert [one.text for one in transcript.messages].count("It runs again.") == 1
        async with db.read() as session:
            (mail,) = (
                await session.exec(select(MailOut).where(MailOut.recipient == email, MailOut.kind == "ticket_reply"))
            ).all()
        assert mail.state == "accepted"
        taken = [one for one in office.server.taken if one.recipient == email]
        assert {str(one.message["Message-ID"]) for one in taken} == {mail.message_id}
        assert len({one.text() for one in taken}) == 1  # what is shown once must not be two texts
        assert len(taken) <= 2

    died = await killed_at_each_step(
        db, is_answered, lambda: work_off(acme, office), lambda: acme.clock.advance(LEASE.total_seconds()), is_one
    )
    assert died >= 12


async def test_each_alarm_rings_once(db: MortalDatabase, acme: Company) -> None:
    async def is_late() -> Ticket:
        await acme.another_visitor()
        ticket = await acme.ticket()
        acme.clock.advance(timedelta(minutes=11).total_seconds())
        return ticket

    async def rang_once(ticket: Ticket) -> None:
        async with db.read() as session:
            steps = await session.exec(
                select(SlaEvent.type, SlaEvent.n)
                .join(SlaClock, col(SlaClock.id) == col(SlaEvent.clock_id))
                .where(SlaClock.subject_id == ticket.id, SlaClock.metric == "first_reply")
            )
            assert sorted(steps) == [("alarm", 300), ("alarm", 480), ("alarm", 540), ("breached", 1)]
            lines = await session.exec(
                select(TicketEvent.type).where(
                    TicketEvent.ticket_id == ticket.id, col(TicketEvent.type).in_(("alarm", "breached"))
                )
            )
            assert sorted(lines) == ["alarm", "alarm", "alarm", "breached"]

    died = await killed_at_each_step(db, is_late, acme.worker.engine.round, lambda: None, rang_once)
    assert died >= 3


async def test_who_is_told_to_end_gives_back_what_the_outbox_began(db: MortalDatabase, acme: Company) -> None:
    outbox, began = acme.tickets.outbox, asyncio.Event()

    async def endless(_payload: dict[str, Any]) -> None:
        began.set()
        await asyncio.Event().wait()

    outbox.on("endless", endless)
    async with db.write() as session:
        await outbox.add(session, "endless", {}, "one")
    working = asyncio.create_task(outbox.run())
    async with asyncio.timeout(20):
        await began.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    async with db.read() as session:
        row = (await session.exec(select(OutboxRow).where(OutboxRow.kind == "endless"))).one()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert row.next_at <= acme.clock.now()
