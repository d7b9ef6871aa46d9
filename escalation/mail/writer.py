"""Rows become messages: words, headers, text and HTML. `EmailMessage` is the only way, and what could end a header is
gone before."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from chat.links import Links
from chat.pages import Pages
from chat.strings import Strings
from escalation.mail.headers import ascii_domain, message_id, one_line, references
from escalation.mail.letter import ANSWERS, PERSONAL, TICKET_OPENED, TICKET_REPLY
from escalation.mail.models import MailOut
from escalation.mail.smtp import Envelope
from escalation.mail.told import Told, told
from escalation.mail.wording import Reader, word
from escalation.mail.words import Words, as_text
from escalation.urgency import PATH

_LINE = 78


@dataclass(frozen=True, slots=True)
class Sender:
    """Of `NIGHTDESK_MAIL_FROM`."""

    name: str
    address: str

    @classmethod
    def of_setting(cls, mail_from: str) -> "Sender":
        name, address = parseaddr(mail_from)
        return cls(name, address)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class Writer:
    def __init__(
        self, pages: Pages, strings: Strings, links: Links, zone: ZoneInfo, key: bytes, company: str = ""
    ) -> None:
        """`company`: who writes, where the letter does not say so."""
        self._pages = pages
        self._strings = strings
        self._links = links
        self._zone = zone
        self._key = key
        self._company = company

    async def words(self, session: AsyncSession, mail: MailOut, now: datetime) -> Words | None:
        """None where there is nothing left to tell: the ticket is gone, or the message is no public one."""
        about = await told(session, mail)
        if about is None and mail.ticket_id is not None:
            return None
        return self._worded(mail, about, now)

    def _worded(self, mail: MailOut, about: Told | None, now: datetime) -> Words:
        reader = Reader(self._strings.catalogue(mail.locale), self._zone, now)
        link = str(mail.data.get("link", ""))
        url = self._links.sign(link) if link.startswith("/") else link
        data = {"company": self._company, "path_url": self._links.address(PATH), **mail.data}
        return word(mail.kind, data, url, mail.expires_at, about, reader)

    async def message_id(self, session: AsyncSession, mail: MailOut, sender: Sender) -> str:
        """The same whenever it is asked: of a ticket, by its number and message; of others, by their row."""
        place = f"m.{mail.id.hex}"
        if mail.kind in (TICKET_OPENED, TICKET_REPLY) and (about := await told(session, mail)) is not None:
            place = f"t.{about.number}.{about.seq}"
        return message_id(self._key, place, mail.recipient, sender.domain)

    def envelope(self, mail: MailOut, words: Words, sender: Sender, before: list[str]) -> Envelope:
        """`before`: Message-IDs of the thread so far. Raises ValueError for what cannot be written."""
        if mail.message_id is None:
            raise ValueError("it has no Message-ID")
        longest = max(len(one) for one in (*before, mail.message_id))
        # The standard library turns an id that fits in no line into an encoded word, which nobody reads as an id.
        recipient = ascii_domain(mail.recipient)
        utf8 = not recipient.isascii()
        message = EmailMessage(SMTP.clone(max_line_length=max(_LINE, longest + 16), utf8=utf8))
        message["From"] = Address(_name(words.by or sender.name), addr_spec=sender.address)
        message["To"] = Address(_name(mail.name), addr_spec=recipient)
        message["Subject"] = one_line(words.subject)
        message["Date"] = format_datetime(mail.created_at)
        message["Message-ID"] = mail.message_id
        if before:
            message["In-Reply-To"] = before[-1]
            message["References"] = references(before)
        if mail.kind not in PERSONAL:
            message["Auto-Submitted"] = "auto-replied" if mail.kind in ANSWERS else "auto-generated"
            message["X-Auto-Response-Suppress"] = "All"
        html = self._pages.partial("mail/letter.html", mail.locale, words=words)
        message.set_content(_storable(as_text(words)), cte="quoted-printable")
        message.add_alternative(_storable(html), subtype="html", cte="quoted-printable")
        # Before, it would have become a header of the first part.
        message["Content-Language"] = self._strings.catalogue(mail.locale).locale
        return Envelope("" if mail.kind in ANSWERS else sender.address, mail.recipient, message.as_bytes())


def _name(text: str) -> str:
    return one_line(text)[:60].strip()


def _storable(text: str) -> str:
    """Lone surrogates have no bytes, and NUL is allowed in no mail."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
