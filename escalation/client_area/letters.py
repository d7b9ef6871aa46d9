"""The letters of the client area: what must reach a customer by mail is handed over here, and nowhere else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.mail.letter import SIGN_IN, Letter
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


class Letters(Protocol):
    async def sign_in(self, session: AsyncSession, letter: SignInLetter) -> None:
        """In the transaction that makes the link: both are there, or neither."""
        ...

    def wake(self) -> None:
        """After the commit."""
        ...


class MailedLetters:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

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

    def wake(self) -> None:
        self._mailbox.wake()
