"""A mail is a row in the transaction of its cause: once, whole, and never to what is no address."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import select

from chat.db import Database
from chat.public import Refusal
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut, Suppression
from tests.support.clock import FakeClock


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    try:
        yield found
    finally:
        await found.close()


def sign_in(to: str = "Ann@Example.com", cause: str = "one") -> Letter:
    return Letter(SIGN_IN, to=to, cause=cause, locale="sl", link="/client/sign-in/one", values={"company": "Acme"})


async def posted(db: Database) -> list[MailOut]:
    async with db.read() as session:
        return list((await session.exec(select(MailOut).order_by(MailOut.cause))).all())


async def test_the_same_cause_is_one_mail(db: Database) -> None:
    mailbox = Mailbox(FakeClock())
    for _ in range(2):
        async with db.write() as session:
            first = await mailbox.post(session, sign_in())
            again = await mailbox.post(session, sign_in("ann@example.com"))
            assert again is None
    assert first is None  # the second round
    async with db.write() as session:
        assert await mailbox.post(session, sign_in(cause="two")) is not None
        assert await mailbox.post(session, sign_in("bob@example.com")) is not None
    found = await posted(db)
    assert [(mail.recipient, mail.cause) for mail in found if mail.recipient.startswith("ann")] == [
        ("ann@example.com", "one"),
        ("ann@example.com", "two"),
    ]
    assert len(found) == 3
    assert {mail.state for mail in found} == {"waiting"}
    assert found[0].data == {"company": "Acme", "link": "/client/sign-in/one"}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example.com\r\nBcc: all@example.com",
        "a@example.com,b@example.com",
        "a\0@b.si",
    ],
)
async def test_what_is_no_address_is_refused(db: Database, address: str) -> None:
    with pytest.raises(Refusal):
        async with db.write() as session:
            await Mailbox(FakeClock()).post(session, sign_in(address))
    assert await posted(db) == []


async def test_a_cause_that_fails_mails_nothing(db: Database) -> None:
    async def fail() -> None:
        async with db.write() as session:
            await Mailbox(FakeClock()).post(session, sign_in())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await posted(db) == []


async def test_an_address_that_takes_none_is_recorded_and_keeps_no_link(db: Database) -> None:
    clock = FakeClock()
    until = clock.now() + timedelta(days=60)
    async with db.write() as session:
        session.add(
            Suppression(address="ann@example.com", code="550 5.1.1", says="", until=until, created_at=clock.now())
        )
    mailbox = Mailbox(clock)
    async with db.write() as session:
        await mailbox.post(session, sign_in())
    clock.advance(61 * 86400)
    async with db.write() as session:
        await mailbox.post(session, sign_in(cause="two"))
    found = await posted(db)
    assert [(mail.state, "link" in mail.data) for mail in found] == [("suppressed", False), ("waiting", True)]
