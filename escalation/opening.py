"""A conversation becomes a ticket: one transaction, and however many ask at once, one ticket."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import insert_for, table_of
from chat.ids import new_id
from chat.public import Transcript, put_files_along, transcript_of
from escalation.actions import Tickets
from escalation.change import Actor, Change, place_of
from escalation.customers.known import IDENTIFIED
from escalation.draft import TicketDraft
from escalation.errors import NotPossible, TextEmpty, TicketGone
from escalation.freezing import digest, operators_body, public_body
from escalation.mail.about_tickets import mail_opened
from escalation.models import (
    Ticket,
    TicketConversation,
    TicketCounter,
    TicketIp,
    TicketMessage,
    TicketOrder,
    TicketTranscript,
)
from escalation.relations import follow
from escalation.sla.clocks import start_first_reply
from escalation.sla.solving import start_solve
from escalation.states import DONE, NORMAL, State
from escalation.store import ticket_holding


@dataclass(frozen=True, slots=True)
class Opened:
    """`created` is false for the second click and the second operator: they get the ticket that is there."""

    ticket: Ticket
    created: bool


async def open_ticket(
    tickets: Tickets,
    draft: TicketDraft,
    conversation_id: UUID,
    actor: Actor,
    *,
    channel: str,
    zone: ZoneInfo,
    left_out: Collection[str] = (),
) -> Opened:
    """`zone` is the company's: it says which year the number carries. `left_out`: ids of files that do not go along.

    Raises NotPossible for a department that does not exist, TextEmpty without a subject, TicketGone without a
    conversation.
    """
    if not draft.subject.value.strip():
        raise TextEmpty
    departments = {department.slug: department for department in await tickets.directory.departments()}
    department = departments.get(draft.department.value)
    if department is None:
        raise NotPossible
    async with tickets.db.write() as session:
        ticket_id, now = new_id(), tickets.clock.now()
        there = await _claim(session, conversation_id, ticket_id)
        if there is not None:
            return Opened(there, created=False)
        transcript = await transcript_of(session, conversation_id)
        if transcript is None:
            raise TicketGone
        transcript = _without(transcript, left_out)
        await _tie(session, ticket_id, transcript.upto_seq)
        number = await next_number(session, now, zone)
        ticket = _ticket(ticket_id, number, now, draft, transcript, actor, channel)
        ticket.department_id = department.id
        session.add(ticket)
        # Rows that point at the ticket follow it; without relationships the unit of work does not know that.
        await session.flush()
        _freeze(session, ticket, transcript, now)
        await put_files_along(session, (one for said in transcript.messages for one in said.files), place_of(ticket.id))
        _add_facts(session, ticket, draft, actor)
        await start_solve(session, ticket, ticket.created_at, first=True)
        await start_first_reply(session, ticket)
        change = Change(session, ticket, actor, now)
        change.record("created", channel=channel, priority=ticket.priority, department=department.slug)
        change.record("escalated", conversation=str(transcript.conversation_id), upto=transcript.upto_seq)
        if (before := await _closed_before(session, conversation_id)) is not None:
            follow(change, before)
        if actor.kind == "operator" and actor.id is not None:
            await change.assign(actor.id, actor.name)
        change.settle()
        held = await tickets.show_card(session, ticket, now)
        await mail_opened(tickets.mailbox, session, ticket, now)
    await tickets.tell(ticket, held)
    return Opened(ticket, created=True)


def _without(transcript: Transcript, left_out: Collection[str]) -> Transcript:
    """Without the files of these ids."""
    messages = (
        replace(said, files=tuple(one for one in said.files if one["id"] not in left_out))
        for said in transcript.messages
    )
    return replace(transcript, messages=tuple(messages)) if left_out else transcript


async def _claim(session: AsyncSession, conversation_id: UUID, ticket_id: UUID) -> Ticket | None:
    """The unique constraint is the judge: of many at once one gets None and goes on, the others get its ticket."""
    ties = table_of(TicketConversation).c
    newest = select(func.max(ties.escalation_no)).where(ties.conversation_id == conversation_id)
    while True:
        claim = insert_for(session)(table_of(TicketConversation)).values(
            id=new_id(),
            ticket_id=ticket_id,
            conversation_id=conversation_id,
            escalation_no=((await session.exec(newest)).one() or 0) + 1,
            upto_seq=0,
            copied_seq=0,
            card_digest="",
        )
        won = await session.exec(claim.on_conflict_do_nothing().returning(ties.id))
        if won.first() is not None:
            return None
        if (there := await ticket_holding(session, conversation_id)) is not None:
            return there
        # Let go of between the two: it is free again.


async def _closed_before(session: AsyncSession, conversation_id: UUID) -> Ticket | None:
    """The last ticket that the conversation was done with. What was spam, or detached from it, was about something
    else."""
    done = select(Ticket).join(TicketConversation, col(TicketConversation.ticket_id) == col(Ticket.id)).where(
        TicketConversation.conversation_id == conversation_id,
        Ticket.closed_reason == DONE,
        TicketConversation.released_at == Ticket.closed_at,
    )  # fmt: skip
    return (await session.exec(done.order_by(col(TicketConversation.escalation_no).desc()).limit(1))).first()


async def _tie(session: AsyncSession, ticket_id: UUID, upto_seq: int) -> None:
    """What is said from here on lies above `copied_seq` and follows by the cursor."""
    rows = table_of(TicketConversation)
    await session.exec(update(rows).where(rows.c.ticket_id == ticket_id).values(upto_seq=upto_seq, copied_seq=upto_seq))


async def next_number(session: AsyncSession, now: datetime, zone: ZoneInfo) -> str:
    """`T-26-000001`: the year in the company's zone and a counter that grows beyond six digits if it must.

    The row stays locked until the commit, so that numbers follow one another without a gap.
    """
    year = now.astimezone(zone).year
    counter = table_of(TicketCounter)
    raised = insert_for(session)(counter).values(year=year, last=1)
    raised = raised.on_conflict_do_update(index_elements=["year"], set_={"last": counter.c.last + 1})
    last = (await session.exec(raised.returning(counter.c.last))).scalar_one()
    return f"T-{year % 100:02}-{last:06}"


def _ticket(
    ticket_id: UUID, number: str, now: datetime, draft: TicketDraft, transcript: Transcript, actor: Actor, channel: str
) -> Ticket:
    start = draft.start.value
    said = [message.at for message in transcript.messages if message.author_kind == "visitor"]
    may_be_high = actor.kind == "operator" or draft.verify_level >= IDENTIFIED
    return Ticket(
        id=ticket_id,
        number=number,
        created_at=now,
        changed_at=now,
        department_id=transcript.department_id,
        site_name=draft.site_name,
        priority=draft.priority.value if may_be_high else NORMAL,
        state=State.NEW.value,
        contact_channel=channel,
        subject=draft.subject.value.strip()[:200],
        locale=draft.locale,
        requester_name=draft.requester_name.value[:120],
        requester_email=draft.requester_email.value[:254],
        account_id=draft.account_id,
        customer_id=draft.customer_id,
        verify_level=draft.verify_level,
        service_label=draft.service.value[:200],
        service_id=draft.service_id,
        started_at=start.instant if start else None,
        started_raw=start.raw[:120] if start else "",
        started_zone=start.zone[:64] if start else "",
        started_certainty=start.certainty.value if start else "",
        environment=draft.environment,
        waiting_since=draft.waiting_since,
        last_customer_at=said[-1] if said else None,
        created_by=actor.id if actor.kind == "operator" else None,
    )


def _freeze(session: AsyncSession, ticket: Ticket, transcript: Transcript, now: datetime) -> None:
    body, operators = public_body(transcript), operators_body(transcript)
    session.add(
        TicketTranscript(
            id=new_id(),
            ticket_id=ticket.id,
            conversation_id=transcript.conversation_id,
            upto_seq=transcript.upto_seq,
            body=body,
            operators_body=operators,
            sha256=digest(body, operators),
            created_at=now,
        )
    )
    ticket.last_seq = ticket.last_customer_seq = 1
    session.add(
        TicketMessage(
            id=new_id(),
            ticket_id=ticket.id,
            seq=1,
            kind="transcript",
            author_kind="system",
            contact_channel="chat",
            sender_level=ticket.verify_level,
            conversation_id=transcript.conversation_id,
            at=now,
        )
    )


def _add_facts(session: AsyncSession, ticket: Ticket, draft: TicketDraft, actor: Actor) -> None:
    source = actor.kind if actor.kind == "operator" else "text"
    for order in {order.value for order in draft.orders}:
        session.add(TicketOrder(ticket_id=ticket.id, value=order, source=source))
    for address in {address.value.value for address in draft.addresses}:
        session.add(TicketIp(ticket_id=ticket.id, value=address, source=source))
