"""The end of a shift: open tickets go to the least loaded on shift, conversations to the head of their queue, each
with a brief. What finds nobody waits for the department, and says so."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Duties, Operator, duty_of
from escalation.actions import Tickets
from escalation.change import Actor, Change
from escalation.models import Ticket, TicketAssignment
from escalation.shifts.brief import Briefs
from escalation.sla.calendars import FAR
from escalation.sla.crew import chosen

NIGHTDESK = Actor("system", "Nightdesk")

log = structlog.get_logger(__name__)


class HandOver:
    def __init__(self, tickets: Tickets, duties: Duties, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._duties = duties
        self._briefs = Briefs(tickets.strings, zone)

    async def of(self, operator: Operator, now: datetime) -> int:
        """Everything that this operator, off duty now, has from before; how much changed hands."""
        async with self._tickets.db.read() as session:
            tickets = await _left_with(session, operator)
            conversations = await self._duties.left_with(session, operator, now)
        done = 0
        for ticket_id in tickets:
            done += await self._ticket(ticket_id, operator.id, now)
        for conversation_id in conversations:
            done += await self._conversation(conversation_id, operator, now)
        return done

    async def _ticket(self, ticket_id: UUID, operator_id: UUID, now: datetime) -> bool:
        tickets = self._tickets
        async with tickets.db.write() as session:
            locked = select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True)
            ticket = (await session.exec(locked)).first()
            operator = await session.get_one(Operator, operator_id, populate_existing=True)
            if ticket is None or ticket.operator_id != operator_id or not ticket.open:
                return False
            if operator.active and (operator.off_since is None or duty_of(operator).holds(now)):
                return False
            change = Change(session, ticket, NIGHTDESK, now)
            pick = await chosen(session, ticket, now)
            brief = await self._briefs.of_ticket(session, ticket, operator, pick, now)
            await change.hand_over(operator.name, pick.operator if pick else None, pick.of if pick else 0)
            change.note(brief)
            change.settle()
            held = await tickets.show_card(session, ticket, now)
        log.info("handed over", ticket=ticket.number, to=str(pick.operator.id) if pick else "")
        await tickets.tell(ticket, held)
        return True

    async def _conversation(self, conversation_id: UUID, operator: Operator, now: datetime) -> bool:
        transcript = await self._tickets.conversations.transcript_of(conversation_id)
        if transcript is None:
            return False
        brief = self._briefs.of_conversation(transcript, operator, now)
        return await self._duties.hand_over(conversation_id, operator.id, brief, now)


async def _left_with(session: AsyncSession, operator: Operator) -> list[UUID]:
    """Open tickets assigned before they went off duty, and later ones once they have left; the nearest due first."""
    until = FAR
    if operator.active and (operator.off_since is None or operator.present):
        if operator.off_since is None:
            return []
        until = operator.off_since
    found = await session.exec(
        select(Ticket.id)
        .join(TicketAssignment, col(TicketAssignment.ticket_id) == col(Ticket.id))
        .where(
            Ticket.operator_id == operator.id,
            col(Ticket.open).is_(True),
            TicketAssignment.operator_id == operator.id,
            col(TicketAssignment.ended_at).is_(None),
            col(TicketAssignment.started_at) <= until,
        )
        .order_by(col(Ticket.priority), col(Ticket.due_at).is_(None), col(Ticket.due_at), col(Ticket.id))
    )
    return list(found)
