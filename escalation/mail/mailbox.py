"""The way to a mail: `post` writes its row in the transaction of its cause. Nothing is sent here."""

from collections.abc import Callable
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import insert_for, table_of
from chat.ids import new_id
from chat.public import Bell, checked_address
from escalation.mail.headers import one_line
from escalation.mail.letter import KINDS, TRIED_ANYWAY, Letter
from escalation.mail.models import MailOut, Suppression

RING = "mail"


class Mailbox:
    """`await post(session, letter)` inside a transaction, `wake()` after its commit."""

    def __init__(self, clock: Clock, bell: Bell | None = None) -> None:
        """Without a bell nobody is woken in other processes."""
        self._clock = clock
        self._bell = bell
        self._wakers: list[Callable[[], None]] = []
        if bell is not None:
            bell.on(RING, lambda _ids: self._wake())

    def wake(self) -> None:
        """A courtesy: the worker looks by itself every few seconds."""
        if self._bell is None:
            self._wake()
        else:
            self._bell.ring(RING)

    def _wake(self) -> None:
        for waker in self._wakers:
            waker()

    def on_wake(self, waker: Callable[[], None]) -> None:
        self._wakers.append(waker)

    async def post(self, session: AsyncSession, letter: Letter) -> UUID | None:
        """The id of the mail; None where the same one was posted before. One for an address that takes none is
        recorded and not sent. Raises Refusal for what is no address."""
        if letter.kind not in KINDS:
            raise ValueError(f"there is no kind {letter.kind}")
        now = self._clock.now()
        recipient = checked_address(letter.to).lower()
        suppressed = await session.get(Suppression, recipient) if letter.kind not in TRIED_ANYWAY else None
        state = "suppressed" if suppressed is not None and suppressed.until > now else "waiting"
        data = {name: one_line(value) for name, value in letter.values.items()}
        if letter.link:
            data["link"] = letter.link
        row = {
            "id": new_id(),
            "kind": letter.kind,
            "cause": letter.cause,
            "recipient": recipient,
            "name": one_line(letter.name)[:120],
            "locale": letter.locale,
            "data": data if state == "waiting" else {},
            "ticket_id": letter.ticket_id,
            "ticket_message_id": letter.ticket_message_id,
            "state": state,
            "attempts": 0,
            "unsure": False,
            "next_at": letter.not_before or now,
            "expires_at": letter.expires_at,
            "code": "",
            "says": "",
            "created_at": now,
            "changed_at": now,
        }
        insert = insert_for(session)
        mail = table_of(MailOut)
        posted = insert(mail).values(row).on_conflict_do_nothing().returning(mail.c.id)
        found: UUID | None = (await session.execute(posted)).scalar_one_or_none()
        return found
