"""Mail out on a given database, with a real server to take it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel import select

from chat.assets import Assets
from chat.clock import Clock
from chat.db import Database
from chat.links import Links
from chat.pages import Pages
from chat.strings import Strings
from escalation.mail.after import After
from escalation.mail.headers import mail_key
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut
from escalation.mail.smtp import Line, SmtpServer
from escalation.mail.worker import MailWorker
from escalation.mail.writer import Sender, Writer
from tests.support.mail_server import MailServer, mail_server
from tests.support.tickets import ROOT, SECRET

BASE = "http://127.0.0.1:8000"
SENDER = Sender("Acme", "support@acme.example")


@dataclass
class PostOffice:
    db: Database
    clock: Clock
    mailbox: Mailbox
    links: Links
    writer: Writer
    server: MailServer

    def worker(self, server: SmtpServer | None = None) -> MailWorker:
        after = After(self.clock, self.mailbox)
        found = server or SmtpServer.of_url(self.server.url)
        return MailWorker(self.db, self.clock, self.mailbox, self.writer, after, found, SENDER)

    async def send_due(self, worker: MailWorker | None = None, server: SmtpServer | None = None) -> None:
        """One after the other, until nothing is due."""
        worker = worker or self.worker(server)
        line = Line(server or SmtpServer.of_url(self.server.url))
        try:
            while await worker.send_one(line):
                pass
        finally:
            await line.close()

    async def post(self, letter: Letter | None = None) -> None:
        async with self.db.write() as session:
            await self.mailbox.post(session, letter or self.sign_in())

    def sign_in(self, to: str = "ann@example.com", cause: str = "one") -> Letter:
        return Letter(
            SIGN_IN,
            to=to,
            cause=cause,
            locale="en",
            link="/client/sign-in/one",
            values={"company": "Acme"},
            expires_at=self.clock.now() + timedelta(days=30),
        )

    async def mails(self) -> list[MailOut]:
        async with self.db.read() as session:
            return list((await session.exec(select(MailOut).order_by(MailOut.id))).all())  # type: ignore[arg-type]

    async def only(self) -> MailOut:
        (mail,) = await self.mails()
        return mail


def writer_of(strings: Strings, links: Links, clock: Clock) -> Writer:
    templates = {"mail": ROOT / "escalation" / "mail" / "templates"}
    pages = Pages(strings, Assets(roots={}, packed=False), templates, BASE, clock=clock)
    return Writer(pages, strings, links, ZoneInfo("Europe/Ljubljana"), mail_key(SECRET))


@asynccontextmanager
async def post_office(db: Database, clock: Clock, mailbox: Mailbox | None = None) -> AsyncIterator[PostOffice]:
    strings = Strings.load([ROOT / "chat" / "strings", ROOT / "widget" / "strings", ROOT / "escalation" / "strings"])
    links = Links(SECRET, BASE)
    async with mail_server() as server:
        yield PostOffice(db, clock, mailbox or Mailbox(clock), links, writer_of(strings, links, clock), server)


async def killed(work: "asyncio.Task[None]") -> None:
    """As a process that dies: nothing after this moment is done."""
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
