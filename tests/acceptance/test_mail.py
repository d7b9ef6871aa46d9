"""Workers that are killed while they send: one mail, as far as the receiving side can see."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import select

from chat.clock import SystemClock
from chat.db import Database, table_of
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut
from tests.support.databases import PostgresMaker
from tests.support.mail_server import MailServer, mail_server
from tests.support.servers import RedisServer
from tests.support.serving import Desk, Process


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as found:
        yield found


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis_server: RedisServer, server: MailServer) -> AsyncIterator[Desk]:
    mail = {"NIGHTDESK_SMTP_URL": server.url, "NIGHTDESK_MAIL_FROM": "Polaris <support@polaris.example>"}
    found = Desk(postgres_maker.make(), redis_server.url, **mail)
    try:
        yield found
    finally:
        server.may_answer.set()
        await asyncio.to_thread(found.remove)


@pytest.fixture
async def db(desk: Desk) -> AsyncIterator[Database]:
    found = Database(desk.environment()["NIGHTDESK_DATABASE_URL"])
    try:
        yield found
    finally:
        await found.close()


async def work(desk: Desk) -> Process:
    return await asyncio.to_thread(desk.work)


async def mails(db: Database) -> list[MailOut]:
    async with db.read() as session:
        return list((await session.exec(select(MailOut).order_by(MailOut.cause))).all())


async def until_accepted(db: Database, number: int) -> None:
    async with asyncio.timeout(60):
        while [mail.state for mail in await mails(db)] != ["accepted"] * number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # rows tell nobody when they change


async def test_killed_while_the_server_has_it_and_has_not_answered(
    desk: Desk, db: Database, server: MailServer
) -> None:
    clock = SystemClock()
    async with db.write() as session:
        await Mailbox(clock).post(
            session, Letter(SIGN_IN, to="ann@example.com", cause="one", locale="en", link="/client/sign-in/x")
        )
    server.may_answer.clear()
    first = await work(desk)
    async with asyncio.timeout(60):
        await server.has_content.wait()
    await asyncio.to_thread(first.end, signal.SIGKILL)
    (mail,) = await mails(db)
    assert mail.state == "sending"
    server.may_answer.set()
    # As after the five minutes in which the first could still be at work.
    async with db.write() as session:
        await session.execute(update(table_of(MailOut)).values(next_at=clock.now()))
    await work(desk)
    await until_accepted(db, 1)
    ids = {taken.message["Message-ID"] for taken in server.taken}
    assert ids == {mail.message_id}
    assert len(server.taken) == 2


async def test_two_workers_and_one_that_is_killed_again_and_again_send_each_mail(
    desk: Desk, db: Database, server: MailServer
) -> None:
    number = 60
    clock = SystemClock()
    async with db.write() as session:
        for cause in range(number):
            letter = Letter(SIGN_IN, to=f"p{cause}@example.com", cause=f"{cause:03}", locale="en", link="/client/x")
            await Mailbox(clock).post(session, letter)
    await work(desk)
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        dying = await work(desk)
        async with asyncio.timeout(60):
            seen = len(server.taken)
            while len(server.taken) < min(number, seen + 5):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.to_thread(dying.end, ending)
    async with db.write() as session:
        await session.execute(
            update(table_of(MailOut))
            .where(table_of(MailOut).c.state == "sending")
            .values(next_at=clock.now() - timedelta(seconds=1))
        )
    await until_accepted(db, number)
    by_id: dict[str, set[str]] = {}
    for taken in server.taken:
        by_id.setdefault(taken.recipient, set()).add(str(taken.message["Message-ID"]))
    assert len(by_id) == number
    assert all(len(ids) == 1 for ids in by_id.values())
