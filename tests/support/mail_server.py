"""A real SMTP server on loopback that keeps what it takes and answers as it is told."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

OK = "250 2.1.5 Ok"


@dataclass
class Taken:
    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def text(self, kind: str = "plain") -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content())


@dataclass
class MailServer:
    """`answers`: to RCPT, by address. `refuses_sender`, `refuses_content`: what it answers then."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refuses_sender: str = ""
    refuses_content: str = ""
    cuts_after_data: bool = False
    """Has the mail and hangs up without a word."""
    password: str = ""
    has_recipient: asyncio.Event = field(default_factory=asyncio.Event)
    may_take: asyncio.Event = field(default_factory=asyncio.Event)
    """Else it is silent at RCPT."""
    has_content: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    opened: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def subjects(self) -> list[str]:
        return [str(one.message["Subject"]) for one in self.taken]

    # ── hooks of aiosmtpd ────────────────────────────────────────────────────────────────────────────────────────

    async def handle_EHLO(  # noqa: N802 — its names
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.opened += 1
        return responses

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_sender:
            return self.refuses_sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.has_recipient.set()
        await self.may_take.wait()
        answer = self.answers.get(address, OK)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses_content:
            return self.refuses_content
        assert isinstance(envelope.content, bytes)
        sender = (envelope.mail_from or "").strip("<>")
        self.taken.append(Taken(sender, envelope.rcpt_tos[0], envelope.content))
        self.has_content.set()
        await self.may_answer.wait()
        if self.cuts_after_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return f"250 2.0.0 Ok: queued as {len(self.taken):08X}"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@asynccontextmanager
async def mail_server(
    password: str = "", port: int = 0, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """`tls`: from the first byte."""
    found = MailServer(password=password)
    found.may_take.set()
    found.may_answer.set()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a password goes without TLS: here it goes nowhere
            return SMTP(
                found,
                hostname="mail.test",
                authenticator=found.authenticate if password else None,
                auth_required=bool(password),
                auth_require_tls=not password,  # so without one it offers no sign-in
                tls_context=starttls,
            )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        found.may_take.set()
        found.may_answer.set()
        server.close()
        await server.wait_closed()
