"""The letters of the client area: what must reach a customer by mail is handed over here, and nowhere else."""

from dataclasses import dataclass
from typing import Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Outbox

MAILED = "client.mail_sign_in"
"""Outbox kind of a sign-in link that waits for the post."""


@dataclass(frozen=True, slots=True)
class SignInLetter:
    """`link` signs `address` in once, for 15 minutes. `dedupe` is the same for a repeat."""

    address: str
    name: str
    locale: str
    link: str
    dedupe: str


class Letters(Protocol):
    async def sign_in(self, session: AsyncSession, letter: SignInLetter) -> None:
        """In the transaction that makes the link: both are there, or neither."""
        ...


class WaitingLetters:
    """Without a post they wait in the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def sign_in(self, session: AsyncSession, letter: SignInLetter) -> None:
        payload = {"to": letter.address, "name": letter.name, "locale": letter.locale, "link": letter.link}
        await self._outbox.add(session, MAILED, payload, letter.dedupe)
