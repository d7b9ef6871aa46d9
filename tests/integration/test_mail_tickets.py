"""What is mailed of tickets: to whom it may be said, once, as one thread, and never a note."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import col, select

from chat.db import Database
from chat.ids import new_id
from chat.public import Conversation, Department
from escalation.customers.models import Account, Customer, EmailAddress, NotificationAddress
from escalation.mail.about_tickets import mail_opened
from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketEvent, TicketLink, TicketMessage
from escalation.proofs import ask_again, is_open, prove
from escalation.requesters_store import requesters_ticket
from tests.support.clock import FakeClock
from tests.support.mailed_tickets import Scene
from tests.support.post_office import post_office
from tests.support.tickets import company


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    db, clock = Database(database_url), FakeClock()
    try:
        async with company(db, clock) as acme, post_office(db, clock, acme.tickets.mailbox) as office:
            yield Scene(acme, office)
    finally:
        await db.close()


async def test_an_address_that_was_only_typed_is_asked_and_told_nothing(scene: Scene) -> None:
    ticket = await scene.ticket(level=0, text="My secret is 1234")
    await scene.reply(ticket, "Dear secret holder")
    (asked,) = await scene.sent()
    assert asked.message["Subject"] == "Please confirm your address – Acme"
    assert asked.sender == ""
    assert asked.message["Auto-Submitted"] == "auto-replied"
    for word in ("1234", "secret", ticket.number, "Ann", "/client/tickets/new"):
        assert word not in asked.text() + asked.text("html") + str(asked.message)


async def test_who_writes_urgent_words_unverified_is_offered_the_verified_way(scene: Scene) -> None:
    hurried = await scene.ticket(level=0, text="URGENT: nothing is reachable")
    (asked,) = await scene.sent()
    assert "Open a verified ticket:\r\nhttp://127.0.0.1:8000/client/tickets/new?priority=high" in asked.text()
    assert "reachable" not in asked.text()
    for level, is_offered in ((1, True), (2, False)):
        async with scene.acme.db.write() as session:
            fresh = await session.get_one(Ticket, hurried.id)
            fresh.verify_level, fresh.requester_email = level, f"rita{level}@example.com"
            await mail_opened(scene.acme.tickets.mailbox, session, fresh, scene.acme.clock.now())
        (opened,) = await scene.sent()
        assert hurried.number in opened.text()
        assert ("Open a verified ticket" in opened.text()) is is_offered
        assert ("Open a verified ticket" in opened.text("html")) is is_offered


async def test_a_thousand_forms_are_one_mail(scene: Scene) -> None:
    for _ in range(20):
        await scene.acme.another_visitor()
        await scene.ticket("victim@example.com", level=0)
    assert len(await scene.sent()) == 1
    scene.acme.clock.advance(86_401)
    await scene.acme.another_visitor()
    await scene.ticket("victim@example.com", level=0)
    assert len(await scene.sent()) == 1


@pytest.mark.parametrize("address", ["noreply@example.com", "MAILER-DAEMON@example.com", "abuse@example.com"])
async def test_robots_are_not_answered(scene: Scene, address: str) -> None:
    await scene.ticket(address, level=0)
    assert await scene.sent() == []


async def test_replies_are_mailed_as_one_thread(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.sent()
    await scene.reply(ticket, "We are on it.\n<b>Soon</b>")
    await scene.reply(ticket, "It runs again.")
    for number in range(8):
        await scene.reply(ticket, f"And {number}")
    taken = await scene.sent()
    assert [one.text().splitlines()[2] for one in taken[2:]] == [f"And {number}" for number in range(8)]
    assert len(str(taken[-1].message["References"]).split()) == 9
    first, second, *_ = taken
    assert first.message["Subject"] == second.message["Subject"] == f"[{ticket.number}] The server is down"
    assert first.message["From"] == "Omar · Acme <support@acme.example>"
    assert first.sender == "support@acme.example"
    assert first.message["Auto-Submitted"] is None
    assert "<b>Soon</b>" in first.text()
    assert "&lt;b&gt;Soon&lt;/b&gt;" in first.text("html")
    assert str(first.message["Message-ID"]).startswith(f"<t.{ticket.number}.")
    assert second.message["In-Reply-To"] == first.message["Message-ID"]
    assert second.message["References"] == first.message["Message-ID"]
    assert "/t/" in first.text()


async def test_a_reply_sent_twice_is_one_mail(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.sent()
    async with scene.acme.db.read() as session:
        version = (await session.get_one(Ticket, ticket.id)).version
    for _ in range(2):
        await scene.acme.tickets.reply(ticket.id, scene.acme.as_omar, "Once", version=version, ref="the-same")
    assert len(await scene.sent()) == 1


async def test_a_note_and_the_requesters_own_words_are_not_mailed(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.sent()
    await scene.acme.tickets.note(ticket.id, scene.acme.as_omar, "planted-word", ref="n")
    await scene.acme.tickets.answer(ticket.id, "my own words", ref="a")
    await scene.reply(ticket, "Answer")
    (taken,) = await scene.sent()
    assert b"planted-word" not in taken.content
    assert b"my own words" not in taken.content


async def test_addresses_for_support_receive_instead_of_the_requester_in_their_language(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.account(ticket, "help@example.com", "noc@example.com")
    await scene.sent()
    await scene.reply(ticket, "Hello")
    taken = await scene.sent()
    assert sorted(one.recipient for one in taken) == ["help@example.com", "noc@example.com"]
    assert {str(one.message["Content-Language"]) for one in taken} == {"sl"}
    assert len({str(one.message["Message-ID"]) for one in taken}) == 2
    for one in taken:
        assert str(one.message["To"]) == one.recipient
        assert one.message["Cc"] is None


async def test_of_money_only_addresses_for_billing_are_told(scene: Scene) -> None:
    """Whoever may set addresses for support need not see what the financial department writes."""
    ticket = await scene.ticket()
    await scene.account(ticket, "mallory@example.com", "books@example.com")
    await scene.sent()
    async with scene.acme.db.write() as session:
        department = (await session.exec(select(Department).where(Department.slug == "financial"))).one()
        (await session.get_one(Ticket, ticket.id)).department_id = department.id
    await scene.reply(ticket, "You owe 1000")
    assert [one.recipient for one in await scene.sent()] == ["rita@example.com"]
    async with scene.acme.db.write() as session:
        books = (await session.exec(select(EmailAddress).where(EmailAddress.address == "books@example.com"))).one()
        account_id = books.account_id
        assert account_id is not None
        session.add(NotificationAddress(id=new_id(), account_id=account_id, kind="billing", email_id=books.id))
    await scene.reply(ticket, "You owe 2000")
    assert [one.recipient for one in await scene.sent()] == ["books@example.com"]


async def test_each_address_has_a_link_of_its_own_that_ends_with_its_standing(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.reply(ticket, "To Rita")
    await scene.account(ticket, "help@example.com", "noc@example.com")
    await scene.reply(ticket, "To the account")
    scene.acme.clock.advance(timedelta(minutes=10).total_seconds())
    db, now = scene.acme.db, scene.acme.clock.now()
    async with db.read() as session:
        found = await session.exec(select(TicketLink).where(TicketLink.scope == "requester"))
        links = {link.recipient: link.id for link in found}
    rita, helper, noc = (links[f"{name}@example.com"] for name in ("rita", "help", "noc"))

    async def readers() -> list[str | None]:
        async with db.read() as session:
            found = [await requesters_ticket(session, one, now) for one in (rita, helper, noc, links[""])]
        return [one.reader if one is not None else None for one in found]

    assert await readers() == ["", "help@example.com", "noc@example.com", ""]
    async with db.write() as session:
        email = select(EmailAddress.id).where(EmailAddress.address == "help@example.com").scalar_subquery()
        taken = select(NotificationAddress).where(NotificationAddress.email_id == email)
        (await session.exec(taken)).one().active = False
    assert await readers() == ["", None, "noc@example.com", ""]
    assert [one.recipient for one in await scene.sent() if "To the account" in one.text()] == ["noc@example.com"]
    async with db.write() as session:
        fresh = await session.get_one(Ticket, ticket.id)
        account = await session.get_one(Account, fresh.account_id)
        fresh.customer_id = new_id()
        session.add(Customer(id=fresh.customer_id, account_id=account.id, ref="rita", name="Rita", active=False))
    assert await readers() == [None, None, "noc@example.com", None]
    async with db.write() as session:
        (await session.get_one(Account, account.id)).active = False
    assert await readers() == [None, None, None, None]


async def test_what_an_address_of_the_account_cannot_take_goes_to_the_requester(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.account(ticket, "help@example.com")
    await scene.sent()
    scene.office.server.answers["help@example.com"] = "550 5.1.1 gone"
    await scene.reply(ticket, "Important")
    (taken,) = await scene.sent()
    assert taken.recipient == "rita@example.com"
    assert "Important" in taken.text()
    async with scene.acme.db.read() as session:
        events = (await session.exec(select(TicketEvent).where(TicketEvent.type == "mail_refused"))).all()
    assert [event.data for event in events] == [{"recipient": "help@example.com", "code": "550 5.1.1"}]
    await scene.reply(ticket, "Next")
    (taken,) = await scene.sent()
    assert taken.recipient == "rita@example.com"


async def test_a_refused_mail_does_not_stand_in_the_way_of_a_reply(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.sent()
    await scene.reply(ticket, "One")
    async with scene.acme.db.read() as session:
        version = (await session.get_one(Ticket, ticket.id)).version
    scene.office.server.answers["rita@example.com"] = "550 5.1.1 gone"
    assert await scene.sent() == []
    await scene.acme.tickets.reply(ticket.id, scene.acme.as_omar, "Two", version=version, ref="two")


async def test_what_she_reads_in_the_conversation_is_not_mailed(scene: Scene) -> None:
    conversation_id = await scene.acme.conversation("Down", email="rita@example.com")
    ticket = (await scene.acme.escalate(conversation_id)).ticket
    async with scene.acme.db.write() as session:
        (await session.get_one(Ticket, ticket.id)).verify_level = 2
    await scene.sent()
    await scene.reply(ticket, "Seen at once")
    while await scene.acme.tickets.outbox.work_once():
        pass
    async with scene.acme.db.write() as session:
        conversation = await session.get_one(Conversation, conversation_id)
        conversation.visitor_read_seq = conversation.last_seq
    await scene.reply(ticket, "Never seen")
    while await scene.acme.tickets.outbox.work_once():
        pass
    assert await scene.sent() == []
    scene.acme.clock.advance(timedelta(minutes=10).total_seconds())
    (taken,) = await scene.sent()
    assert "Never seen" in taken.text()
    async with scene.acme.db.read() as session:
        states = (await session.exec(select(MailOut.state).where(MailOut.kind == "ticket_reply"))).all()
    assert sorted(states) == ["accepted", "read"]


# ── words of strangers ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_mallory_writes_ends_no_header_and_turns_no_line(scene: Scene) -> None:
    evil = "Down\r\nBcc: all@example.com\n\n<script>alert(1)</script>\u202egnp.exe\u2066" + "x" * 900
    ticket = await scene.ticket()
    await scene.sent()
    async with scene.acme.db.write() as session:
        fresh = await session.get_one(Ticket, ticket.id)
        fresh.subject, fresh.requester_name, fresh.site_name = evil[:200], evil[:80], evil[:80]
    await scene.reply(ticket, "Hello \u202eolleh.")
    async with scene.acme.db.write() as session:
        words = TicketMessage.ticket_id == ticket.id, TicketMessage.author_kind == "operator"
        message = (await session.exec(select(TicketMessage).where(*words))).one()
        message.author_name = evil[:80]
        message.files = [{"name": evil, "size": 1, "type": "image/png", "id": "x"}]
    (taken,) = await scene.sent()
    headers = taken.content.split(b"\r\n\r\n")[0]
    assert max(map(len, headers.split(b"\r\n"))) <= 998
    assert taken.message["Bcc"] is None
    assert taken.recipient == "rita@example.com"
    assert len(str(taken.message["Subject"])) <= 200
    for name in ("Subject", "From", "To"):
        assert not set(str(taken.message[name])) & set("\r\n\0\u202e\u2066")
    assert "<script>" not in taken.text("html")
    assert taken.message.get_content_type() == "multipart/alternative"
    parts = [part.get_content_type() for part in taken.message.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    # A name of a file cannot pretend another ending; what a person wrote may turn, inside its own block.
    named = next(line for line in taken.text().splitlines() if line.startswith("Files"))
    assert not set(named) & set("\u202e\u2066")
    assert '<div dir="auto"' in taken.text("html")


async def test_files_of_a_reply_are_named_and_not_attached(scene: Scene) -> None:
    ticket = await scene.ticket()
    await scene.sent()
    await scene.reply(ticket, "See the log.")
    async with scene.acme.db.write() as session:
        message = (await session.exec(select(TicketMessage).where(TicketMessage.text == "See the log."))).one()
        message.files = [{"name": "boot.log", "size": 9, "type": "text/plain", "id": "x"}]
    (taken,) = await scene.sent()
    assert "Files, on the page of the ticket: boot.log" in taken.text()
    assert list(taken.message.iter_attachments()) == []
    assert "/files/" not in taken.text() + taken.text("html")


# ── acknowledgements, questions ──────────────────────────────────────────────────────────────────────────────────────


async def test_acknowledgements_end_after_three_in_an_hour(scene: Scene) -> None:
    for _ in range(5):
        await scene.acme.another_visitor()
        ticket = await scene.ticket("", level=2)
        async with scene.acme.db.write() as session:
            fresh = await session.get_one(Ticket, ticket.id)
            fresh.requester_email = "rita@example.com"
            await mail_opened(scene.acme.tickets.mailbox, session, fresh, scene.acme.clock.now())
    taken = await scene.sent()
    assert len(taken) == 3
    assert "A person answers by" in taken[0].text()
    assert taken[0].sender == ""


async def test_the_link_of_the_question_is_good_once_for_a_quarter_of_an_hour(scene: Scene) -> None:
    ticket = await scene.ticket(level=0)
    await scene.sent()
    async with scene.acme.db.read() as session:
        (proof,) = (await session.exec(select(TicketLink).where(TicketLink.scope == "prove"))).all()
    assert not await ask_again(scene.acme.tickets, proof.id)  # it still works
    scene.acme.clock.advance(900)
    assert not await is_open(scene.acme.tickets, proof.id)
    assert await prove(scene.acme.tickets, proof.id) is None
    assert await ask_again(scene.acme.tickets, proof.id)
    assert len(await scene.sent()) == 1
    async with scene.acme.db.read() as session:
        fresh_ones = select(TicketLink).where(TicketLink.scope == "prove").order_by(col(TicketLink.created_at).desc())
        proof = (await session.exec(fresh_ones)).all()[0]
    assert await is_open(scene.acme.tickets, proof.id)
    assert await prove(scene.acme.tickets, proof.id) is not None
    assert await prove(scene.acme.tickets, proof.id) is None
    async with scene.acme.db.read() as session:
        fresh = await session.get_one(Ticket, ticket.id)
        assert (fresh.verify_level, fresh.verify_method) == (1, "link")
        assert (await session.exec(select(TicketLink).where(col(TicketLink.used_at).is_not(None)))).one().id == proof.id
    await scene.reply(ticket, "Now you may read it")
    (taken,) = await scene.sent()
    assert "Now you may read it" in taken.text()
