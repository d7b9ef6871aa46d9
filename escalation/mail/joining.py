"""Replies that were not read in the open conversation go out as one mail: up to ten, a quarter of an hour apart. So do
those to readers who have no conversation, after the first one, which goes at once. Without a conversation each goes by
itself.

Who is away comes back to one letter and not to ten. What is joined is settled with the first try of the mail that
carries it and never changes: under one Message-ID mail programs show one text.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import table_of
from escalation.actions import homes_of
from escalation.mail.letter import TICKET_REPLY
from escalation.mail.models import ALSO, MailOut
from escalation.models import Ticket

MOST = 10
APART = timedelta(minutes=15)
_MAIL = table_of(MailOut)


async def next_of_talk(session: AsyncSession, mail: MailOut) -> datetime | None:
    """Before when a further mail of this conversation is too many; None for the first one and for all other mail."""
    if mail.message_id is not None or not await _is_of_talk(session, mail):
        return None
    found = await session.exec(
        select(func.max(MailOut.changed_at)).where(
            MailOut.ticket_id == mail.ticket_id,
            MailOut.recipient == mail.recipient,
            MailOut.kind == TICKET_REPLY,
            MailOut.state == "accepted",
        )
    )
    last: datetime | None = found.one()
    return last + APART if last is not None else None


async def to_take_along(session: AsyncSession, mail: MailOut) -> Sequence[MailOut]:
    """Later replies to the same reader, which nobody has begun to send."""
    if not await _is_of_talk(session, mail):
        return ()
    found = await session.exec(
        select(MailOut)
        .where(
            MailOut.ticket_id == mail.ticket_id,
            MailOut.recipient == mail.recipient,
            MailOut.kind == TICKET_REPLY,
            MailOut.state == "waiting",
            col(MailOut.message_id).is_(None),
            col(MailOut.id) > mail.id,
        )
        .order_by(col(MailOut.id))
        .limit(MOST - 1)
        .with_for_update()
    )
    return found.all()


async def take_along(session: AsyncSession, mail: MailOut, along: Sequence[MailOut], now: datetime) -> None:
    """In the transaction that claims `mail`."""
    if not along:
        return
    also = [str(one.ticket_message_id) for one in along]
    await session.execute(update(_MAIL).where(_MAIL.c.id == mail.id).values(data={**mail.data, ALSO: also}))
    await session.execute(
        update(_MAIL).where(_MAIL.c.id.in_([one.id for one in along])).values(state="joined", data={}, changed_at=now)
    )


async def _is_of_talk(session: AsyncSession, mail: MailOut) -> bool:
    """There is a conversation, where replies are many and short."""
    if mail.kind != TICKET_REPLY or mail.ticket_id is None:
        return False
    ticket = await session.get(Ticket, mail.ticket_id)
    is_of_chat = ticket is not None and ticket.contact_channel == "chat"
    return is_of_chat and bool(await homes_of(session, mail.ticket_id))
