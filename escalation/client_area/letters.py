"""The letters of the client area: what must reach a customer by mail is handed over here, and nowhere else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.customers.delivery import told_of_access
from escalation.customers.reader import CustomerReader
from escalation.mail.letter import PASSWORD_CHANGED, SIGN_IN, SIGNED_IN, Letter
from escalation.mail.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class SignInLetter:
    """`link` signs `address` in once, until `expires_at`. `cause` is the same for a repeat."""

    address: str
    name: str
    locale: str
    link: str
    cause: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PasswordNews:
    """Somebody set or changed the password of `reader`, in this browser. `cause` is the same for a repeat."""

    reader: CustomerReader
    browser: str
    is_first: bool
    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """`reader` signed in with a browser that they had not used before. `cause` is the same for a repeat."""

    reader: CustomerReader
    browser: str
    cause: str
    at: datetime


class Letters(Protocol):
    async def sign_in(self, session: AsyncSession, letter: SignInLetter) -> None:
        """In the transaction that makes the link: both are there, or neither."""
        ...

    async def password(self, session: AsyncSession, news: PasswordNews) -> None:
        """In the transaction that changes it, to all who must know."""
        ...

    async def device(self, session: AsyncSession, news: DeviceNews) -> None:
        """In the transaction that signs them in, to all who must know."""
        ...

    def wake(self) -> None:
        """After the commit."""
        ...


class MailedLetters:
    def __init__(self, mailbox: Mailbox, base_url: str) -> None:
        self._mailbox = mailbox
        self._base_url = base_url

    async def sign_in(self, session: AsyncSession, letter: SignInLetter) -> None:
        await self._mailbox.post(
            session,
            Letter(
                SIGN_IN,
                to=letter.address,
                cause=letter.cause,
                locale=letter.locale,
                link=letter.link,
                name=letter.name,
                expires_at=letter.expires_at,
            ),
        )

    async def password(self, session: AsyncSession, news: PasswordNews) -> None:
        change = "set" if news.is_first else "changed"
        await self._tell(session, PASSWORD_CHANGED, news, {"change": change})

    async def device(self, session: AsyncSession, news: DeviceNews) -> None:
        await self._tell(session, SIGNED_IN, news, {})

    async def _tell(
        self, session: AsyncSession, kind: str, news: PasswordNews | DeviceNews, more: dict[str, str]
    ) -> None:
        reader = news.reader
        values = {"customer": reader.name, "browser": news.browser, "at": news.at.isoformat()} | more
        people = await told_of_access(session, reader.account_id, reader.customer_id, reader.locale, news.at)
        for one in people:
            await self._mailbox.post(
                session,
                Letter(
                    kind,
                    to=one.address,
                    cause=news.cause,
                    locale=one.language,
                    link=f"{self._base_url}/client/sign-in",
                    values=values,
                ),
            )

    def wake(self) -> None:
        self._mailbox.wake()
