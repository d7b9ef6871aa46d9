"""The company's mail server: how it is reached, and what its answers mean."""

import contextlib
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

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
    later: not now. unsure: it was given everything and did not answer. away: nothing can be handed to it at all.
    """

    kind: Kind
    code: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: str
    """Empty for answers that a program gives."""
    recipient: str
    content: bytes


class Line:
    """One connection to the server, opened with the first mail and kept for the next ones."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._smtp: aiosmtplib.SMTP | None = None

    async def hand_over(self, envelope: Envelope) -> Outcome:
        opened = await self._opened()
        return opened if isinstance(opened, Outcome) else await self._give(opened, envelope)

    async def reach(self) -> Outcome | None:
        """Why nothing can be handed over; None where the server lets us in."""
        opened = await self._opened()
        return opened if isinstance(opened, Outcome) else None

    async def _opened(self) -> aiosmtplib.SMTP | Outcome:
        try:
            return await self._open()
        except aiosmtplib.SMTPAuthenticationError as error:
            return Outcome("away", _code(error), "sign-in refused")
        except aiosmtplib.SMTPResponseException as error:
            return Outcome("away", _code(error), _plain(error.message))
        except aiosmtplib.SMTPNotSupported:
            return Outcome("away", says="the server offers no STARTTLS or no sign-in")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # Of a certificate that is not trusted, too: an ssl.SSLError is an OSError.
            return Outcome("away", says=type(error.__cause__ or error).__name__)

    async def _give(self, smtp: aiosmtplib.SMTP, envelope: Envelope) -> Outcome:
        recipient = ascii_domain(envelope.recipient)
        options, encoding = [], "ascii"
        if not recipient.isascii():
            if not smtp.supports_extension("smtputf8"):
                return Outcome("refused", says="the server takes no address with such letters (SMTPUTF8)")
            options, encoding = ["SMTPUTF8"], "utf-8"
        given = False
        try:
            await smtp.mail(envelope.sender, options=options, encoding=encoding)
            await smtp.rcpt(recipient, encoding=encoding)
            given = True
            answer = await smtp.data(envelope.content)
        except aiosmtplib.SMTPRecipientRefused as error:
            return await self._after(_of_recipient(error))
        except aiosmtplib.SMTPResponseException as error:
            return await self._after(_of_mail(error))
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            return Outcome("unsure" if given else "away", says=type(error).__name__)
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
            start_tls=server.tls == "starttls",
            timeout=CONNECT_SECONDS,
            local_hostname=server.calls_itself,
            username=server.username or None,
            password=server.password or None,
        )
        await smtp.connect()
        smtp.timeout = ANSWER_SECONDS
        self._smtp = smtp
        return smtp

    async def close(self) -> None:
        if self._smtp is not None and self._smtp.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it is over either way
                await self._smtp.quit(timeout=5)
        self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


def _of_recipient(error: aiosmtplib.SMTPResponseException) -> Outcome:
    enhanced = _enhanced(error)
    if error.code == 421:
        return Outcome("away", _code(error), _plain(error.message))
    if error.code < 500 or enhanced == "5.2.2" or error.code == 552:  # a mailbox that is full may be emptied
        return Outcome("later", _code(error), _plain(error.message))
    gone = _NO_SUCH.fullmatch(enhanced) if enhanced else error.code in _NO_MAILBOX
    return Outcome("no_address" if gone else "refused", _code(error), _plain(error.message))


def _of_mail(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """Of the sender or of the content. A sender that is refused is no fault of the mail: somebody mends the settings or
    the server, and the mail goes out then."""
    if error.code == 421:
        return Outcome("away", _code(error), _plain(error.message))
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
