"""What a letter about a ticket says of it. Selects public messages only: a note is never mailed."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketMessage


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
    by: str = ""
    text: str = ""
    files: tuple[str, ...] = ()
    """Their names."""


async def told(session: AsyncSession, mail: MailOut) -> Told | None:
    """None where the ticket or the message is not there to be told."""
    ticket = await session.get(Ticket, mail.ticket_id) if mail.ticket_id else None
    if ticket is None:
        return None
    message: TicketMessage | None = None
    if mail.ticket_message_id is not None:
        message = await session.get(TicketMessage, mail.ticket_message_id)
        if message is None or message.kind != "message" or message.ticket_id != ticket.id:
            return None
    return Told(
        ticket.number,
        ticket.subject,
        ticket.site_name,
        ticket.requester_name,
        ticket.state,
        ticket.due_at if ticket.first_reply_at is None else None,
        message.seq if message else 0,
        message.author_name if message else "",
        message.text if message else "",
        tuple(str(file.get("name", "")) for file in message.files) if message else (),
    )


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
