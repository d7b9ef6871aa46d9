"""Replies that are not read in the open conversation: one mail for several, never two texts under one Message-ID."""

from collections.abc import AsyncIterator

import pytest

from chat.db import Database
from chat.public import Conversation
from escalation.detaching import detach
from escalation.models import Ticket
from tests.support.clock import FakeClock
from tests.support.mailed_tickets import Scene
from tests.support.post_office import post_office
from tests.support.taking_part import add, version_of
from tests.support.tickets import company


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    db, clock = Database(database_url), FakeClock()
    try:
        async with company(db, clock) as acme, post_office(db, clock, acme.tickets.mailbox) as office:
            yield Scene(acme, office)
    finally:
        await db.close()


async def test_what_she_does_not_read_comes_as_one_mail_a_quarter_of_an_hour_apart(scene: Scene) -> None:
    ticket = await scene.ticket(channel="chat")
    await scene.sent()
    clock = scene.acme.clock
    await scene.reply(ticket, "We look at it.")
    clock.advance(120)
    await scene.acme.tickets.note(ticket.id, scene.acme.as_omar, "planted-word", ref="n")
    await scene.reply(ticket, "It is the disk.")
    clock.advance(400)
    await scene.reply(ticket, "I changed it.", scene.acme.as_nina)
    assert await scene.sent() == []
    clock.advance(80)
    (first,) = await scene.sent()
    lines = [line for line in first.text().splitlines() if line]
    assert lines[:5] == ["Omar:", "We look at it.", "It is the disk.", "Nina:", "I changed it."]
    assert "planted-word" not in first.text() + first.text("html")
    assert first.message["From"] == "Acme <support@acme.example>"  # of two people
    assert await scene.states() == ["accepted", "joined", "joined"]

    await scene.reply(ticket, "Does it run?")
    clock.advance(899)
    assert await scene.sent() == []
    clock.advance(1)
    (second,) = await scene.sent()
    assert second.message["From"] == "Omar · Acme <support@acme.example>"
    assert second.message["In-Reply-To"] == first.message["Message-ID"]
    assert "We look at it." not in second.text()


async def test_only_who_has_the_conversation_waits_to_read_there(scene: Scene) -> None:
    ticket = await scene.ticket(channel="chat")
    await add(scene.acme.tickets, ticket.id, scene.acme.as_omar, "vito@supplier.example")
    await scene.sent()
    await scene.reply(ticket, "Please swap the disk.")
    assert [(one.recipient, "swap the disk" in one.text()) for one in await scene.sent()] == [
        ("vito@supplier.example", True)
    ]
    # A talk goes on: nobody gets a letter for each line of it.
    for text in ("It is the left one.", "The one with the red light."):
        scene.acme.clock.advance(60)
        await scene.reply(ticket, text)
    assert await scene.sent() == []
    scene.acme.clock.advance(480)
    assert [one.recipient for one in await scene.sent()] == ["rita@example.com"]
    scene.acme.clock.advance(300)
    (vitos,) = await scene.sent()
    assert (vitos.recipient, "red light" in vitos.text(), "left one" in vitos.text()) == (
        "vito@supplier.example", True, True,
    )  # fmt: skip
    # Detached, there is nowhere to read it.
    version = await version_of(scene.acme.tickets, ticket.id)
    await detach(scene.acme.tickets, ticket.id, scene.acme.as_omar, version=version)
    for text in ("It is in.", "Does it run?"):
        await scene.reply(ticket, text)
        sent = await scene.sent()
        assert sorted((one.recipient, text in one.text()) for one in sent) == [
            ("rita@example.com", True), ("vito@supplier.example", True),
        ]  # fmt: skip


async def test_ten_of_them_are_enough_for_one_mail(scene: Scene) -> None:
    ticket = await scene.ticket(channel="chat")
    await scene.sent()
    for number in range(12):
        await scene.reply(ticket, f"Step {number:02}.")
    scene.acme.clock.advance(600)
    (first,) = await scene.sent()
    assert [f"Step {number:02}." in first.text() for number in range(12)] == [True] * 10 + [False] * 2
    scene.acme.clock.advance(900)
    (second,) = await scene.sent()
    assert "Step 10." in second.text()
    assert "Step 11." in second.text()
    assert "Step 09." not in second.text()


async def test_a_mail_that_is_tried_again_has_the_words_it_had(scene: Scene) -> None:
    """Mail programs show one text for one Message-ID: what was added to the second try would be lost."""
    ticket = await scene.ticket(channel="chat")
    await scene.sent()
    await scene.reply(ticket, "One.")
    await scene.reply(ticket, "Two.")
    scene.acme.clock.advance(600)
    assert await scene.office.worker()._claim() is not None  # and dies
    await scene.reply(ticket, "Three.")
    scene.acme.clock.advance(600)
    (taken,) = await scene.sent()
    assert "Two." in taken.text()
    assert "Three." not in taken.text()
    scene.acme.clock.advance(900)
    (taken,) = await scene.sent()
    assert "Three." in taken.text()


async def test_a_mail_of_several_is_not_held_back_while_one_is_unread(scene: Scene) -> None:
    conversation_id = await scene.acme.conversation("Down", email="rita@example.com")
    ticket = (await scene.acme.escalate(conversation_id)).ticket
    async with scene.acme.db.write() as session:
        (await session.get_one(Ticket, ticket.id)).verify_level = 2
    await scene.sent()
    for text in ("One.", "Two."):
        await scene.reply(ticket, text)
    while await scene.acme.tickets.outbox.work_once():
        pass
    scene.acme.clock.advance(600)
    scene.office.server.answers["rita@example.com"] = "451 4.7.1 greylisted"
    assert await scene.sent() == []
    transcript = await scene.acme.conversations.transcript_of(conversation_id)
    assert transcript is not None
    async with scene.acme.db.write() as session:
        conversation = await session.get_one(Conversation, conversation_id)
        conversation.visitor_read_seq = next(one.seq for one in transcript.messages if one.text == "One.")
    scene.office.server.answers.clear()
    scene.acme.clock.advance(60)
    (taken,) = await scene.sent()
    assert "Two." in taken.text()


async def test_all_that_an_address_of_the_account_cannot_take_goes_to_the_requester(scene: Scene) -> None:
    ticket = await scene.ticket(channel="chat")
    await scene.account(ticket, "help@example.com")
    await scene.sent()
    scene.office.server.answers["help@example.com"] = "550 5.1.1 gone"
    await scene.reply(ticket, "One.")
    await scene.reply(ticket, "Two.")
    scene.acme.clock.advance(600)
    (taken,) = await scene.sent()
    assert taken.recipient == "rita@example.com"
    assert "One." in taken.text()
    assert "Two." in taken.text()
