"""Who gets mail about a ticket, and which. Posts in the transaction of what it tells of.

An address that was only typed may be a stranger's: it gets one neutral question a day and not a word of what was said.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from escalation.customers.delivery import set_for
from escalation.customers.known import PROVEN
from escalation.customers.models import EmailAddress
from escalation.languages import language_of
from escalation.mail.letter import ANSWERS, TICKET_NEUTRAL, TICKET_OPENED, TICKET_REPLY, TICKET_SHARED, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut
from escalation.models import Ticket, TicketLink, TicketMessage, TicketParticipant
from escalation.ticket_links import page_for, participants_in, type_of
from escalation.urgency import waits_for_proof

PROVE = "prove"
"""Scope of the link in a neutral question."""
PROOF_LIFE = timedelta(minutes=15)
UNREAD_FOR = timedelta(minutes=10)
"""How long a reply may be read in the open conversation before it is mailed."""
PER_HOUR, PER_DAY = 3, 10
"""Acknowledgements to one address."""
NEVER_ANSWERED = frozenset({"mailer-daemon", "postmaster", "abuse", "root", "noreply", "no-reply", "donotreply"})


@dataclass(frozen=True, slots=True)
class Recipient:
    address: str
    name: str
    locale: str


async def recipients_of(session: AsyncSession, ticket: Ticket, now: datetime) -> list[Recipient]:
    """The account's confirmed addresses for support, of the financial department for billing: who may set those may see
    its tickets. Else the requester's, if it is proven to be theirs."""
    if ticket.account_id is not None:
        targets = await set_for(session, ticket.account_id, await type_of(session, ticket), now)
        if targets:
            return [Recipient(target.address, "", target.language) for target in targets]
    if await _is_proven(session, ticket):
        return [Recipient(ticket.requester_email.lower(), ticket.requester_name, ticket.locale)]
    return []


async def mail_shared(
    mailbox: Mailbox, session: AsyncSession, ticket: Ticket, one: TicketParticipant, now: datetime
) -> None:
    """To whom an operator has just added: the way in."""
    to = Recipient(one.address, one.name, await language_of(session, ticket, one))
    letter = await _letter(session, ticket, TICKET_SHARED, to, one.id, now)
    await mailbox.post(session, replace(letter, values={"by": one.added_by}))


async def _letter(
    session: AsyncSession, ticket: Ticket, kind: str, one: Recipient, cause: UUID, now: datetime
) -> Letter:
    """With the way to the ticket for this address."""
    return Letter(
        kind,
        to=one.address,
        cause=str(cause),
        locale=one.locale,
        name=one.name,
        link=await page_for(session, ticket, one.address, now),
        ticket_id=ticket.id,
    )


async def _is_proven(session: AsyncSession, ticket: Ticket) -> bool:
    """The level says who the requester is. Whom the company's site names has not proven the address by it, be it on
    record or typed: then it is by a link of this ticket."""
    if not ticket.requester_email or ticket.verify_level < PROVEN:
        return False
    if ticket.customer_id is None:
        return True
    held = select(EmailAddress.verified_at).where(
        EmailAddress.account_id == ticket.account_id,
        EmailAddress.address == ticket.requester_email.strip().lower(),
    )
    if any(at is not None for at in await session.exec(held)):
        return True
    used = select(TicketLink.id).where(
        TicketLink.ticket_id == ticket.id, TicketLink.scope == PROVE, col(TicketLink.used_at).is_not(None)
    )
    return (await session.exec(used.limit(1))).first() is not None


async def mail_opened(mailbox: Mailbox, session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The acknowledgement, or the neutral question."""
    await session.flush()
    people = await recipients_of(session, ticket, now)
    if not people and ticket.requester_email:
        await ask_for_proof(mailbox, session, ticket, now)
    for one in people:
        if not may_be_answered(one.address) or await _had_enough(session, one.address, now):
            continue
        letter = await _letter(session, ticket, TICKET_OPENED, one, ticket.id, now)
        await mailbox.post(session, replace(letter, values=await _offered(session, ticket)))


async def _offered(session: AsyncSession, ticket: Ticket) -> dict[str, str]:
    """The verified way to a ticket, to who wrote urgent words and has not proven who they are."""
    return {"path": "offered"} if await waits_for_proof(session, ticket) else {}


async def mail_reply(
    mailbox: Mailbox, session: AsyncSession, ticket: Ticket, message: TicketMessage, now: datetime, *, in_chat: bool
) -> None:
    """A public message of an operator. `in_chat`: it stands in a conversation, too, where the requester has some
    minutes to read it; nobody else has one."""
    if message.kind != "message" or message.author_kind != "operator":
        return
    await session.flush()
    people, requester = await recipients_of(session, ticket, now), ticket.requester_email.strip().lower()
    for reader in await participants_in(session, ticket.id):
        people.append(Recipient(reader.address, reader.name, await language_of(session, ticket, reader)))
    for one in people:
        letter = await _letter(session, ticket, TICKET_REPLY, one, message.id, now)
        may_be_read = in_chat and ticket.contact_channel == "chat" and one.address == requester
        not_before = now + UNREAD_FOR if may_be_read else None
        # Who is both is one address, and gets one.
        await mailbox.post(session, replace(letter, ticket_message_id=message.id, not_before=not_before))


async def ask_for_proof(
    mailbox: Mailbox, session: AsyncSession, ticket: Ticket, now: datetime, *, again: bool = False
) -> bool:
    """Whether the address was asked: once a day, without a word of who typed it. `again`: who has had one asks."""
    address = ticket.requester_email.strip().lower()
    if not may_be_answered(address):
        return False
    if not again and await _count(session, address, now - timedelta(days=1), ANSWERS):
        return False
    proof = TicketLink(id=new_id(), ticket_id=ticket.id, scope=PROVE, expires_at=now + PROOF_LIFE, created_at=now)
    session.add(proof)
    await session.flush()
    posted = await mailbox.post(
        session,
        Letter(
            TICKET_NEUTRAL,
            to=address,
            cause=str(proof.id),
            locale=ticket.locale,
            link=f"/t/prove/{proof.id}",
            values={"company": ticket.site_name} | await _offered(session, ticket),
            expires_at=proof.expires_at,
        ),
    )
    return posted is not None


def may_be_answered(address: str) -> bool:
    return address.partition("@")[0] not in NEVER_ANSWERED


async def _had_enough(session: AsyncSession, address: str, now: datetime) -> bool:
    opened = frozenset({TICKET_OPENED})
    if await _count(session, address, now - timedelta(hours=1), opened) >= PER_HOUR:
        return True
    return await _count(session, address, now - timedelta(days=1), opened) >= PER_DAY


async def _count(session: AsyncSession, address: str, since: datetime, kinds: frozenset[str]) -> int:
    found = await session.exec(
        select(func.count())
        .select_from(MailOut)
        .where(MailOut.recipient == address, col(MailOut.created_at) > since, col(MailOut.kind).in_(kinds))
    )
    return found.one()
