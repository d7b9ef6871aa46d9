"""A mail worker that is told to end: what is with the server may have its answer, all else is another's at once."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog

from chat.db import Database
from chat.logs import configure
from chat.settings import load_settings
from escalation.mail import worker as mail_worker
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.smtp import SmtpServer
from tests.support.clock import FakeClock
from tests.support.mail_server import mail_server
from tests.support.post_office import PostOffice, killed, post_office

PLANTED = "zasajena-beseda"


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[PostOffice]:
    db = Database(database_url)
    try:
        async with post_office(db, FakeClock()) as found:
            yield found
    finally:
        await db.close()


@asynccontextmanager
async def working(office: PostOffice) -> AsyncIterator["asyncio.Task[None]"]:
    """As the program does it; a test tells it to end by `cancel`."""
    task = asyncio.create_task(office.worker().run())
    try:
        async with asyncio.timeout(20):
            yield task
    finally:
        await killed(task)


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_the_server_was_not_given_yet_waits_as_before(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_worker, "ENDING_SECONDS", 0.05)
    await office.post()
    before = await office.only()
    office.server.may_take.clear()
    async with working(office) as task:
        await office.server.has_recipient.wait()
        assert (await office.only()).state == "sending"
        await end(task)
    mail = await office.only()
    assert (mail.state, mail.attempts, mail.unsure, mail.next_at) == ("waiting", 0, False, before.next_at)
    office.server.may_take.set()
    await office.send_due()  # no time has passed
    assert (await office.only()).state == "accepted"
    assert len(office.server.taken) == 1


async def test_what_the_server_has_and_does_not_answer_is_tried_once_more_at_once(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_worker, "ENDING_SECONDS", 0.05)
    await office.post()
    for number in range(2):
        office.server.may_answer.clear()
        office.server.has_content.clear()
        async with working(office) as task:
            await office.server.has_content.wait()
            await end(task)
        assert (await office.only()).unsure == bool(number)
    await office.send_due()
    # A third time would be one too many: people decide.
    mail = await office.only()
    assert mail.state == "failed"
    assert [str(taken.message["Message-ID"]) for taken in office.server.taken] == [mail.message_id] * 2


async def test_an_answer_that_comes_while_it_ends_counts_and_nothing_more_is_begun(office: PostOffice) -> None:
    for number in range(3 * mail_worker.LANES):
        await office.post(office.sign_in(cause=str(number)))
    office.server.may_answer.clear()
    async with working(office) as task:
        await office.server.has_content.wait()
        task.cancel()
        await asyncio.sleep(0)  # it hears of it
        office.server.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    mails = await office.mails()
    assert {(mail.state, mail.attempts) for mail in mails} == {("accepted", 1), ("waiting", 0)}
    assert sum(mail.state == "accepted" for mail in mails) == len(office.server.taken) <= mail_worker.LANES


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    before, handlers, level = structlog.get_config(), list(root.handlers), root.level
    configure(load_settings({}, log_format="json", log_level="debug"), stream)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_neither_passwords_nor_addresses_nor_words_reach_the_log(office: PostOffice, log: io.StringIO) -> None:
    to = f"{PLANTED}@example.com"

    async def post(cause: str, link: str = "/client/x") -> None:
        values = {"company": PLANTED}
        await office.post(Letter(SIGN_IN, to=to, cause=cause, locale="en", name=PLANTED, link=link, values=values))

    async with mail_server(password="open sesame") as strict:
        wrong = SmtpServer.of_url(f"smtp://{PLANTED}:{PLANTED}@127.0.0.1:{strict.port}")
        await post("refused sign-in")
        await office.send_due(office.worker(wrong), wrong)
    unknown = SmtpServer.of_url(f"smtps://{PLANTED}:{PLANTED}@127.0.0.1:{office.server.port}")
    await office.send_due(office.worker(unknown), unknown)
    office.server.refuses_sender = f"553 5.7.1 {PLANTED}"
    await office.send_due()
    office.server.refuses_sender = ""
    office.server.answers[to] = f"550 5.7.1 {PLANTED}"
    await post("refused recipient")
    await office.send_due()
    office.server.answers.clear()
    office.server.refuses_content = f"554 {PLANTED}"
    await post("refused content")
    await office.send_due()
    assert PLANTED not in log.getvalue()
    for fault in ("login", "not_tls", "553 5.7.1", "550 5.7.1", "554"):
        assert fault in log.getvalue()
