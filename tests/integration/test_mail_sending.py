"""Mail out, to a real SMTP server on loopback, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from chat.db import Database
from chat.ids import new_id
from escalation.customers.models import EmailAddress
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.models import Suppression
from escalation.mail.smtp import SmtpServer
from tests.support.clock import FakeClock
from tests.support.mail_server import mail_server
from tests.support.post_office import PostOffice, killed, post_office


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[PostOffice]:
    db = Database(database_url)
    try:
        async with post_office(db, FakeClock()) as found:
            yield found
    finally:
        await db.close()


def advance(office: PostOffice, **time: float) -> None:
    assert isinstance(office.clock, FakeClock)
    office.clock.advance(timedelta(**time).total_seconds())


async def test_ann_gets_her_sign_in_link(office: PostOffice) -> None:
    await office.post()
    await office.send_due()
    (taken,) = office.server.taken
    message = taken.message
    assert (taken.sender, taken.recipient) == ("support@acme.example", "ann@example.com")
    assert message["From"] == "Acme <support@acme.example>"
    assert message["To"] == "ann@example.com"
    assert message["Subject"] == "Your sign-in link – Acme"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    link = office.links.sign("/client/sign-in/one")
    assert link in taken.text()
    assert f'href="{link}"' in taken.text("html")
    assert max(len(line) for line in taken.content.splitlines()) < 998
    mail = await office.only()
    assert (mail.state, mail.code, mail.says) == ("accepted", "250", "2.0.0 Ok: queued as 00000001")
    assert message["Message-ID"] == mail.message_id
    await office.send_due()
    assert len(office.server.taken) == 1


async def test_it_is_in_her_language(office: PostOffice) -> None:
    letter = Letter(SIGN_IN, to="ann@example.com", cause="x", locale="sl", link="https://acme.example/in")
    await office.post(letter)
    await office.send_due()
    (taken,) = office.server.taken
    assert taken.message["Subject"] == "Vaša povezava za prijavo"
    assert taken.message["Content-Language"] == "sl"
    assert 'lang="sl"' in taken.text("html")
    assert "https://acme.example/in" in taken.text()
    assert (await office.only()).data == {}  # a link that works is forgotten


async def test_mallory_adds_no_header(office: PostOffice) -> None:
    evil = "Acme\r\nBcc: all@example.com\n\nBuy this\0"
    letter = Letter(
        SIGN_IN, to="ann@example.com", cause="x", locale="en", name=evil, link="/a", values={"company": evil}
    )
    await office.post(letter)
    await office.send_due()
    (taken,) = office.server.taken
    assert taken.message["Bcc"] is None
    assert taken.recipient == "ann@example.com"
    assert "all@example.com" in str(taken.message["Subject"])
    assert set(taken.message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
        "Content-Language", "MIME-Version", "Content-Type",
    }  # fmt: skip


# ── killed at each step ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_killed_after_the_claim_it_is_sent_by_another(office: PostOffice) -> None:
    await office.post()
    worker = office.worker()
    assert await worker._claim() is not None
    await office.send_due()
    assert office.server.taken == []  # whoever has it may still be at work
    advance(office, minutes=5)
    await office.send_due()
    assert len(office.server.taken) == 1
    assert (await office.only()).state == "accepted"


async def test_killed_between_the_servers_word_and_our_commit_both_are_one(office: PostOffice) -> None:
    await office.post()
    office.server.may_answer.clear()
    sending = asyncio.create_task(office.send_due())
    await office.server.has_content.wait()
    await killed(sending)
    office.server.may_answer.set()
    assert (await office.only()).state == "sending"
    advance(office, minutes=5)
    await office.send_due()
    first, second = (taken.message["Message-ID"] for taken in office.server.taken)
    assert first == second == (await office.only()).message_id
    assert (await office.only()).state == "accepted"
    advance(office, days=2)
    await office.send_due()
    assert len(office.server.taken) == 2


async def test_a_server_that_takes_it_and_hangs_up_is_asked_once_more_and_no_more(office: PostOffice) -> None:
    await office.post()
    office.server.cuts_after_data = True
    for _ in range(4):
        await office.send_due()
        advance(office, minutes=6)
    assert len(office.server.taken) == 2
    mail = await office.only()
    assert mail.state == "failed"


async def test_two_workers_send_it_once(office: PostOffice) -> None:
    for number in range(12):
        await office.post(office.sign_in(cause=str(number)))
    await asyncio.gather(*(office.send_due() for _ in range(3)))
    assert len(office.server.taken) == 12
    assert len({taken.message["Message-ID"] for taken in office.server.taken}) == 12
    assert {mail.state for mail in await office.mails()} == {"accepted"}
    assert {mail.attempts for mail in await office.mails()} == {1}


async def test_a_result_that_comes_after_the_lease_counts_nothing(office: PostOffice) -> None:
    """The first worker sleeps over its lease; what it says then must not overwrite what the second one knows."""
    await office.post()
    office.server.may_answer.clear()
    slow = asyncio.create_task(office.send_due())
    await office.server.has_content.wait()
    advance(office, minutes=5)
    office.server.answers["ann@example.com"] = "550 5.1.1 gone"
    await office.send_due()
    assert (await office.only()).state == "bounced"
    office.server.may_answer.set()
    await slow
    assert (await office.only()).state == "bounced"


# ── refused, later, away ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "state", "suppressed"),
    [
        ("550 5.1.1 no such user", "bounced", True),
        ("550 no such user", "bounced", True),
        ("550 5.4.4 no such host", "bounced", True),
        ("550 5.7.1 not from you", "failed", False),
        ("552 5.2.2 full", "deferred", False),
        ("451 4.7.1 greylisted", "deferred", False),
    ],
)
async def test_what_the_server_says_of_an_address(
    office: PostOffice, answer: str, state: str, suppressed: bool
) -> None:
    async with office.db.write() as session:
        session.add(EmailAddress(id=new_id(), address="ann@example.com", raw="ann@example.com"))
    office.server.answers["ann@example.com"] = answer
    await office.post()
    await office.post(office.sign_in("bob@example.com"))
    await office.send_due()
    states = {mail.recipient: mail.state for mail in await office.mails()}
    assert states == {"ann@example.com": state, "bob@example.com": "accepted"}
    async with office.db.read() as session:
        assert (await session.get(Suppression, "ann@example.com") is not None) == suppressed
        known = (await session.exec(select(EmailAddress))).one()
    assert (known.suppressed_until is not None) == suppressed
    await office.post(office.sign_in(cause="again"))
    await office.send_due()
    again = next(mail for mail in await office.mails() if mail.cause == "again")
    assert again.state == ("suppressed" if suppressed else state)


async def test_later_is_tried_ever_later_for_a_day(office: PostOffice) -> None:
    office.server.answers["ann@example.com"] = "451 4.7.1 greylisted"
    await office.post()
    await office.send_due()
    advance(office, seconds=59)
    await office.send_due()
    assert (await office.only()).attempts == 1
    advance(office, seconds=1)
    office.server.answers.clear()
    await office.send_due()
    assert (await office.only()).state == "accepted"

    office.server.answers["ann@example.com"] = "451 4.7.1 greylisted"
    await office.post(office.sign_in(cause="two"))
    begun = office.clock.now()
    while (mail := (await office.mails())[-1]).state in ("waiting", "deferred"):
        assert isinstance(office.clock, FakeClock)
        office.clock.set(max(office.clock.now(), mail.next_at))
        await office.send_due()
    assert mail.state == "failed"
    assert timedelta(hours=20) < office.clock.now() - begun < timedelta(hours=24)


@pytest.mark.parametrize("answer", ["550 5.1.1 odd", "554 5.6.0 spam"])
async def test_what_the_server_says_of_the_content(office: PostOffice, answer: str) -> None:
    office.server.refuses_content = answer
    await office.post()
    await office.send_due()
    assert (await office.only()).state == ("bounced" if "5.1.1" in answer else "failed")


async def test_a_sender_that_is_refused_is_no_fault_of_the_mail(office: PostOffice) -> None:
    office.server.refuses_sender = "553 5.7.1 not your address"
    await office.post()
    await office.send_due()
    mail = await office.only()
    assert (mail.state, mail.code) == ("deferred", "553 5.7.1")


async def test_while_the_server_is_away_mail_waits_and_no_row_is_blamed(office: PostOffice) -> None:
    nobody = SmtpServer("127.0.0.1", 1, "none")
    await office.post()
    worker = office.worker(nobody)
    with capture_logs() as logs:
        for _ in range(10):
            await office.send_due(worker, nobody)
            advance(office, minutes=30)
    mail = await office.only()
    assert (mail.state, mail.attempts) == ("waiting", 0)
    assert {entry["event"] for entry in logs} == {"the mail server takes nothing"}
    await office.send_due(worker)
    assert (await office.only()).state == "accepted"


async def test_the_server_wants_a_password(office: PostOffice) -> None:
    await office.post()
    async with mail_server(password="open sesame") as strict:
        wrong = SmtpServer.of_url(f"smtp://acme:wrong@127.0.0.1:{strict.port}")
        with capture_logs() as logs:
            await office.send_due(office.worker(wrong), wrong)
        assert (await office.only()).state == "waiting"
        assert "wrong" not in str(logs)
        right = SmtpServer.of_url(f"smtp://acme:open%20sesame@127.0.0.1:{strict.port}")
        await office.send_due(office.worker(right), right)
        assert len(strict.taken) == 1


async def test_without_tls_where_it_is_demanded_nothing_is_said(office: PostOffice) -> None:
    await office.post()
    encrypted = SmtpServer("127.0.0.1", office.server.port, "starttls", "acme", "open sesame")
    await office.send_due(office.worker(encrypted), encrypted)
    assert office.server.taken == []
    assert (await office.only()).state == "waiting"


async def test_one_connection_carries_many(office: PostOffice) -> None:
    for number in range(5):
        await office.post(office.sign_in(cause=str(number)))
    await office.send_due()
    assert len(office.server.taken) == 5
    assert office.server.opened == 1


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_has_expired_is_not_sent_and_its_link_forgotten(office: PostOffice) -> None:
    letter = Letter(
        SIGN_IN,
        to="ann@example.com",
        cause="x",
        locale="en",
        link="/a",
        expires_at=office.clock.now() + timedelta(minutes=15),
    )
    await office.post(letter)
    advance(office, minutes=15)
    await office.send_due()
    await office.worker().expire()
    mail = await office.only()
    assert (mail.state, mail.data) == ("expired", {})
    assert office.server.taken == []


async def test_the_running_worker_hears_of_new_mail_and_its_logs_tell_nobodys_address(office: PostOffice) -> None:
    office.server.answers["bob@example.com"] = "550 5.1.1 no bob@example.com here"
    with capture_logs() as logs:
        working = asyncio.create_task(office.worker().run())
        try:
            await office.post(office.sign_in("bob@example.com"))
            await office.post()
            office.mailbox.wake()
            async with asyncio.timeout(20):
                await office.server.has_content.wait()
                while {mail.state for mail in await office.mails()} != {"accepted", "bounced"}:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # rows tell nobody when they change
        finally:
            await killed(working)
    told = str(logs)
    assert "bounced" in told
    for secret in ("ann@", "bob@", "/client/", "sign-in link"):
        assert secret not in told
