"""What a letter about a ticket says of it. Selects public messages only: a note is never mailed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.mail.models import ALSO, MailOut
from escalation.models import Ticket, TicketMessage


@dataclass(frozen=True, slots=True)
class Spoken:
    """One public message. `files`: their names."""

    by: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    number: str
    subject: str
    company: str
    requester: str
    state: str
    due_at: datetime | None
    """Of the first reply, while it is promised."""
    seq: int = 0
    """Of the first message that is told."""
    said: tuple[Spoken, ...] = ()


async def told(session: AsyncSession, mail: MailOut) -> Told | None:
    """None where the ticket or its messages are not there to be told."""
    ticket = await session.get(Ticket, mail.ticket_id) if mail.ticket_id else None
    if ticket is None:
        return None
    wanted = messages_of(mail)
    found = await session.exec(
        select(TicketMessage)
        .where(col(TicketMessage.id).in_(wanted), TicketMessage.ticket_id == ticket.id, TicketMessage.kind == "message")
        .order_by(col(TicketMessage.seq))
    )
    messages = found.all() if wanted else []
    if wanted and not messages:
        return None
    return Told(
        ticket.number,
        ticket.subject,
        ticket.site_name,
        ticket.requester_name,
        ticket.state,
        ticket.due_at if ticket.first_reply_at is None else None,
        messages[0].seq if messages else 0,
        tuple(_spoken(message) for message in messages),
    )


def messages_of(mail: MailOut) -> list[UUID]:
    """Ids of what it tells: its own message, then those that were joined to it."""
    first = [mail.ticket_message_id] if mail.ticket_message_id else []
    return [*first, *(UUID(one) for one in mail.data.get(ALSO, ()))]


def _spoken(message: TicketMessage) -> Spoken:
    return Spoken(message.author_name, message.text, tuple(str(file.get("name", "")) for file in message.files))


async def thread_before(session: AsyncSession, mail: MailOut) -> list[str]:
    """Message-IDs of what this address has had about the ticket, in order: its mail program shows one thread."""
    if mail.ticket_id is None:
        return []
    found = await session.exec(
        select(MailOut.message_id)
        .where(
            MailOut.ticket_id == mail.ticket_id,
            MailOut.recipient == mail.recipient,
            MailOut.state == "accepted",
            col(MailOut.id) < mail.id,
        )
        .order_by(col(MailOut.id))
    )
    return [one for one in found if one]
