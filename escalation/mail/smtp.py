"""The company's mail server: how it is reached, and what its answers mean."""

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

from escalation.mail.faults import Fault, NotOffered, certificate_says, fault_of
from escalation.mail.headers import ascii_domain

CONNECT_SECONDS = 20.0
ANSWER_SECONDS = 60.0
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_NO_MAILBOX = (550, 551, 553)
_NO_SUCH = re.compile(r"5\.1\.\d+|5\.4\.4")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Of `NIGHTDESK_SMTP_URL`, which the settings have checked."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    username: str = ""
    password: str = ""
    calls_itself: str = "localhost"

    @classmethod
    def of_url(cls, url: str, calls_itself: str = "localhost") -> "SmtpServer":
        parts = urlsplit(url)
        tls: Literal["none", "starttls", "tls"] = "none"
        if parts.scheme == "smtps":
            tls = "tls"
        elif parts.scheme == "smtp+starttls":
            tls = "starttls"
        port = parts.port or {"tls": 465, "starttls": 587, "none": 25}[tls]
        who, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname or "localhost", port, tls, who, password, calls_itself)


Kind = Literal["accepted", "no_address", "refused", "later", "unsure", "away"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try.

    accepted: the server has it. no_address: it says that there is no such mailbox. refused: it will not take this mail.
    later: not now. unsure: it was given everything and did not answer. away: nothing can be handed to it at all;
    `fault` says why.
    """

    kind: Kind
    code: str = ""
    says: str = ""
    fault: Fault = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: str
    """Empty for answers that a program gives."""
    recipient: str
    content: bytes


class Line:
    """One connection to the server, opened with the first mail and kept for the next ones."""

    def __init__(self, server: SmtpServer, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._server = server
        self._connect_seconds = connect_seconds
        self._smtp: aiosmtplib.SMTP | None = None
        self.unanswered = False
        """The server was given the last mail and has not said whether it has it."""

    async def hand_over(self, envelope: Envelope) -> Outcome:
        self.unanswered = False
        try:
            opened = await self._opened()
            return opened if isinstance(opened, Outcome) else await self._give(opened, envelope)
        except asyncio.CancelledError:
            # Whatever the server says now would be taken for an answer to the next command.
            self._drop()
            raise

    async def reach(self, sender: str) -> Outcome | None:
        """Why no mail of this sender can be handed over; None where the server lets us in. Nothing is sent."""
        opened = await self._opened()
        if isinstance(opened, Outcome):
            return opened
        try:
            await opened.mail(sender)
            await opened.rset()
        except (aiosmtplib.SMTPException, OSError) as error:
            return _away(error)
        return None

    async def _opened(self) -> aiosmtplib.SMTP | Outcome:
        try:
            return await self._open()
        except (NotOffered, aiosmtplib.SMTPException, OSError, ValueError) as error:
            # Of a certificate that is not trusted, too: an ssl.SSLError is an OSError.
            return _away(error)

    async def _give(self, smtp: aiosmtplib.SMTP, envelope: Envelope) -> Outcome:
        recipient = ascii_domain(envelope.recipient)
        options, encoding = [], "ascii"
        if not recipient.isascii():
            if not smtp.supports_extension("smtputf8"):
                return Outcome("refused", says="the server takes no address with such letters (SMTPUTF8)")
            options, encoding = ["SMTPUTF8"], "utf-8"
        try:
            await smtp.mail(envelope.sender, options=options, encoding=encoding)
            await smtp.rcpt(recipient, encoding=encoding)
            self.unanswered = True
            answer = await smtp.data(envelope.content)
        except aiosmtplib.SMTPRecipientRefused as error:
            return await self._after(_of_recipient(error))
        except aiosmtplib.SMTPResponseException as error:
            self.unanswered = False
            return await self._after(_of_mail(error))
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            return Outcome("unsure", says=type(error).__name__) if self.unanswered else _away(error)
        self.unanswered = False
        return Outcome("accepted", str(answer.code), _plain(answer.message))

    async def _after(self, outcome: Outcome) -> Outcome:
        """The envelope is taken back, so that the next mail has a clean one."""
        if self._smtp is not None:
            try:
                await self._smtp.rset()
            except (aiosmtplib.SMTPException, OSError):
                self._drop()
        return outcome

    async def _open(self) -> aiosmtplib.SMTP:
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "tls",
            start_tls=False,
            timeout=self._connect_seconds,
            local_hostname=server.calls_itself,
        )
        await smtp.connect()
        try:
            await self._enter(smtp)
        except BaseException:
            smtp.close()
            raise
        smtp.timeout = ANSWER_SECONDS
        self._smtp = smtp
        return smtp

    async def _enter(self, smtp: aiosmtplib.SMTP) -> None:
        server = self._server
        await _greet(smtp)
        if server.tls == "starttls":
            if not smtp.supports_extension("starttls"):
                raise NotOffered("no_starttls")
            await smtp.starttls()
            await _greet(smtp)
        if server.username:
            if not smtp.supports_extension("auth"):
                raise NotOffered("no_login")
            await smtp.login(server.username, server.password)

    async def close(self) -> None:
        if self._smtp is not None and self._smtp.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it is over either way
                await self._smtp.quit(timeout=5)
        self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


async def _greet(smtp: aiosmtplib.SMTP) -> None:
    """Tells us what the server offers; an old one that knows no EHLO offers nothing."""
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError:
        await smtp.helo()


def _away(error: Exception) -> Outcome:
    fault = fault_of(error)
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Outcome("away", says=certificate_says(error) or fault, fault=fault)
    # Of a sign-in without its words: some servers say the name in them.
    says = fault if fault in ("login", "needs_login") else _plain(error.message)
    return Outcome("away", _code(error), says, fault)


def _of_recipient(error: aiosmtplib.SMTPResponseException) -> Outcome:
    enhanced = _enhanced(error)
    if error.code == 421:
        return _away(error)
    if error.code < 500 or enhanced == "5.2.2" or error.code == 552:  # a mailbox that is full may be emptied
        return Outcome("later", _code(error), _plain(error.message))
    gone = _NO_SUCH.fullmatch(enhanced) if enhanced else error.code in _NO_MAILBOX
    return Outcome("no_address" if gone else "refused", _code(error), _plain(error.message))


def _of_mail(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """Of the sender or of the content. A sender that is refused is no fault of the mail: somebody mends the settings or
    the server, and the mail goes out then."""
    if error.code in (421, 530):  # 530: it wants a sign-in first
        return _away(error)
    if error.code < 500 or isinstance(error, aiosmtplib.SMTPSenderRefused):
        return Outcome("later", _code(error), _plain(error.message))
    gone = _NO_SUCH.fullmatch(_enhanced(error))
    return Outcome("no_address" if gone else "refused", _code(error), _plain(error.message))


def _enhanced(error: aiosmtplib.SMTPResponseException) -> str:
    found = _ENHANCED.search(error.message)
    return found[1] if found else ""


def _code(error: aiosmtplib.SMTPResponseException) -> str:
    """`550 5.1.1` (RFC 3463)."""
    return f"{error.code} {_enhanced(error)}".strip()[:16]


def _plain(message: str) -> str:
    """A stranger's words: one line of what can be printed."""
    return " ".join("".join(char if char.isprintable() else " " for char in message).split())[:200]
