"""What a mail meets besides the server: addresses that take none, words that were read meanwhile, refusals that people
have to see."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import insert_for, table_of
from chat.public import Conversation, transcript_of
from escalation.change import SYSTEM, Change
from escalation.cursors import REF
from escalation.customers.models import EmailAddress
from escalation.mail.letter import ABOUT_TICKETS, TICKET_OPENED, TICKET_REPLY, TRIED_ANYWAY, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut, Suppression
from escalation.mail.smtp import Outcome
from escalation.mail.told import messages_of
from escalation.models import Ticket, TicketConversation, TicketMessage
from escalation.ticket_links import may_read, page_for, takes_part

SUPPRESSED_FOR = timedelta(days=60)


class After:
    def __init__(self, clock: Clock, mailbox: Mailbox) -> None:
        self._clock = clock
        self._mailbox = mailbox

    async def takes_none(self, session: AsyncSession, mail: MailOut) -> bool:
        if mail.kind in TRIED_ANYWAY:
            return False
        found = await session.get(Suppression, mail.recipient)
        return found is not None and found.until > self._clock.now()

    async def lost_standing(self, session: AsyncSession, mail: MailOut) -> bool:
        """Since it was written, the address was taken away, or the ticket given to a department it may not read."""
        if mail.kind not in ABOUT_TICKETS or mail.ticket_id is None:
            return False
        ticket = await session.get(Ticket, mail.ticket_id)
        return ticket is not None and not await may_read(session, ticket, mail.recipient)

    async def was_read(self, session: AsyncSession, mail: MailOut) -> bool:
        """The requester has seen it in the conversation, which is another window on the same thread."""
        if mail.kind != TICKET_REPLY or mail.ticket_message_id is None:
            return False
        message = await session.get(TicketMessage, messages_of(mail)[-1])
        ticket = await session.get(Ticket, mail.ticket_id)
        if message is None or ticket is None or ticket.requester_email.lower() != mail.recipient:
            return False
        tie = (
            await session.exec(
                select(TicketConversation).where(
                    TicketConversation.ticket_id == ticket.id, col(TicketConversation.released_at).is_(None)
                )
            )
        ).first()
        conversation = await session.get(Conversation, tie.conversation_id) if tie else None
        if conversation is None:
            return False
        seq = message.conversation_seq
        if seq is None:
            transcript = await transcript_of(session, conversation.id)
            ref = f"{REF}{message.id}"
            seq = next((said.seq for said in transcript.messages if said.ref == ref), None) if transcript else None
        return seq is not None and conversation.visitor_read_seq >= seq

    async def refused(self, session: AsyncSession, mail: MailOut, outcome: Outcome) -> None:
        """In the transaction that records it. An address that does not exist gets nothing for a while; the ticket tells
        of it, and the requester gets what an address of the account could not."""
        if outcome.kind == "no_address":
            await self._suppress(session, mail.recipient, outcome)
        if mail.ticket_id is None:
            return
        ticket = (await session.exec(select(Ticket).where(Ticket.id == mail.ticket_id).with_for_update())).first()
        if ticket is None:
            return
        now = self._clock.now()
        # Without a new version: a reply that is being written is not refused because of a mail.
        Change(session, ticket, SYSTEM, now).record("mail_refused", recipient=mail.recipient, code=outcome.code)
        ticket.changed_at = now
        registered = ticket.requester_email.strip().lower()
        if mail.kind not in (TICKET_OPENED, TICKET_REPLY) or registered in ("", mail.recipient):
            return
        if await takes_part(session, ticket.id, mail.recipient):
            return  # the requester has had the same letter, or the addresses of the account have
        about: list[UUID | None] = [*messages_of(mail)]
        for message_id in about or [None]:
            await self._mailbox.post(
                session,
                Letter(
                    mail.kind,
                    to=registered,
                    cause=mail.cause if message_id is None else str(message_id),
                    locale=ticket.locale,
                    name=ticket.requester_name,
                    link=await page_for(session, ticket, registered, now),
                    ticket_id=ticket.id,
                    ticket_message_id=message_id,
                ),
            )

    async def _suppress(self, session: AsyncSession, address: str, outcome: Outcome) -> None:
        now = self._clock.now()
        values = {"code": outcome.code, "says": outcome.says, "until": now + SUPPRESSED_FOR, "created_at": now}
        insert = insert_for(session)
        suppress = insert(table_of(Suppression)).values(address=address, **values)
        await session.execute(suppress.on_conflict_do_update(index_elements=["address"], set_=values))
        known = table_of(EmailAddress)
        await session.execute(
            update(known)
            .where(known.c.address == address)
            .values(suppressed_until=values["until"], reason=f"{outcome.code} {outcome.says}"[:200])
        )

    def tell(self, mail: MailOut) -> None:
        """After the commit: whoever took over is sent."""
        self._mailbox.wake()
