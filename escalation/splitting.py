"""A message that is about something else becomes a ticket of its own. One transaction, and one ticket however often."""

from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import select

from chat.ids import new_id
from chat.public import put_files_along
from escalation.actions import Tickets
from escalation.change import Actor, Change, checked, place_of
from escalation.errors import NotPossible, TicketGone
from escalation.models import Ticket, TicketEvent, TicketMessage, TicketRelation
from escalation.opening import next_number
from escalation.relations import SPLIT, split_ref
from escalation.sla.clocks import start_first_reply
from escalation.sla.solving import start_solve
from escalation.states import NORMAL, SUBJECT_LIMIT, State


async def split(
    tickets: Tickets, ticket_id: UUID, seq: int, actor: Actor, *, subject: str, department: str, zone: ZoneInfo
) -> Ticket:
    """The new ticket, or the one that this message became before. The message stays where it was, too.

    Raises NotPossible for what is no message of the requester and for an unknown department, TextEmpty without a
    subject, TextTooLong for a longer one than a ticket has.
    """
    subject = checked(subject, limit=SUBJECT_LIMIT)
    departments = {one.slug: one for one in await tickets.directory.departments()}
    if department not in departments:
        raise NotPossible
    async with tickets.db.write() as session:
        source = (await session.exec(select(Ticket).where(Ticket.id == ticket_id).with_for_update())).first()
        if source is None:
            raise TicketGone
        message = (
            await session.exec(
                select(TicketMessage).where(TicketMessage.ticket_id == ticket_id, TicketMessage.seq == seq)
            )
        ).first()
        if message is None or message.kind != "message" or message.author_kind != "requester":
            raise NotPossible
        events = select(TicketEvent).where(TicketEvent.ticket_id == ticket_id, TicketEvent.type == "split")
        for event in await session.exec(events):
            if event.data["message"] == seq:
                known = await session.exec(select(Ticket).where(Ticket.number == event.data["number"]))
                return known.one()
        now = tickets.clock.now()
        fresh = _ticket(source, message, await next_number(session, now, zone), actor)
        fresh.created_at = fresh.changed_at = now
        fresh.subject, fresh.department_id = subject, departments[department].id
        session.add(fresh)
        await session.flush()
        session.add(TicketMessage(**message.model_dump() | _place(message, fresh)))
        await put_files_along(session, message.files, place_of(fresh.id))
        session.add(TicketRelation(id=new_id(), ticket_id=fresh.id, other_id=source.id, relation=SPLIT, at=now))
        await session.flush()
        await start_solve(session, fresh, now)
        await start_first_reply(session, fresh)
        made, left = Change(session, fresh, actor, now), Change(session, source, actor, now)
        made.record("created", channel=fresh.contact_channel, priority=fresh.priority, department=department)
        made.record("split_from", number=source.number)
        left.record("split", message=seq, number=fresh.number)
        for change in (made, left):
            change.settle()
        held = await tickets.show_card(session, fresh, now)
    await tickets.tell(source, None)
    await tickets.tell(fresh, held)
    return fresh


def _ticket(source: Ticket, message: TicketMessage, number: str, actor: Actor) -> Ticket:
    """Of the same person. Urgency is not inherited: it was said of something else."""
    is_as_sure = message.sender_level >= source.verify_level
    return Ticket(
        id=new_id(),
        number=number,
        site_name=source.site_name,
        department_id=source.department_id,
        priority=NORMAL,
        state=State.NEW.value,
        contact_channel="mail" if message.contact_channel == "mail" else source.contact_channel,
        subject=source.subject,
        locale=source.locale,
        requester_name=source.requester_name,
        requester_email=source.requester_email,
        verify_level=min(source.verify_level, message.sender_level),
        verify_method=source.verify_method if is_as_sure else "",
        verified_at=source.verified_at if is_as_sure else None,
        account_id=source.account_id,
        customer_id=source.customer_id,
        environment=dict(source.environment),
        waiting_since=message.at,
        last_customer_at=message.at,
        last_seq=1,
        last_customer_seq=1,
        created_by=actor.id,
        created_at=message.at,
        changed_at=message.at,
    )


def _place(message: TicketMessage, ticket: Ticket) -> dict[str, object]:
    return {
        "id": new_id(),
        "ticket_id": ticket.id,
        "seq": 1,
        "ref": split_ref(message.id),
        "conversation_id": None,
        "conversation_seq": None,
    }
