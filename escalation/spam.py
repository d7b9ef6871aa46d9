"""A ticket is no ticket: marked as spam by an operator, and taken back. Nobody is mailed of either.

Meanwhile it stands in a list of its own, its clocks rest and its conversation goes on without it. Taken back it stands
where it stood, and its clocks run from where they began: what was promised is not put off. Who had it has it again, but
for those who are off duty or full by now.
"""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from chat.db import table_of
from chat.public import Operator, audit, transcript_of
from escalation.actions import Tickets
from escalation.change import Actor, Change
from escalation.errors import NotPossible, OperatorAbsent, OperatorFull
from escalation.models import TicketConversation
from escalation.sla.clocks import revive_clocks
from escalation.sla.crew import require_room
from escalation.sla.solving import revive_solve
from escalation.states import State

SPAM = "spam"


async def mark(tickets: Tickets, ticket_id: UUID, actor: Actor, *, version: int) -> None:
    """Once more changes nothing. Raises NotPossible for what is closed."""
    await tickets.hear_out(ticket_id)
    async with tickets.changing(ticket_id, actor) as change:
        if change.ticket.closed_reason == SPAM:
            return
        change.expect(version)
        if change.ticket.state == State.CLOSED:
            raise NotPossible
        await change.lead(State.CLOSED, SPAM)
        await _audit(change, "ticket.spam_marked")


async def take_back(tickets: Tickets, ticket_id: UUID, actor: Actor, *, version: int) -> None:
    """Once more changes nothing. Raises NotPossible for what is closed for another reason."""
    async with tickets.changing(ticket_id, actor) as change:
        ticket = change.ticket
        if ticket.state != State.CLOSED:
            return
        if ticket.closed_reason != SPAM or ticket.closed_at is None:
            raise NotPossible
        change.expect(version)
        since = ticket.closed_at
        await change.open_again()
        await revive_clocks(change.session, ticket, since)
        await revive_solve(change.session, ticket, since)
        for conversation_id in await _hold_again(change, since):
            await _take_in(tickets, change, conversation_id)
        await _give_again(change)
        await _audit(change, "ticket.spam_taken_back")


async def _hold_again(change: Change, since: datetime) -> list[UUID]:
    """The conversations. One that has become another ticket meanwhile, or becomes one now, stays with that one."""
    rows = table_of(TicketConversation).c
    ties = select(rows.id, rows.conversation_id).where(rows.ticket_id == change.ticket.id, rows.released_at == since)
    held = []
    for tie_id, conversation_id in (await change.session.execute(ties)).all():
        # The constraint is the judge: a look could not see the tie of whoever opens the other one at this moment.
        with suppress(IntegrityError):
            async with change.session.begin_nested():
                hold = update(TicketConversation).where(rows.id == tie_id).values(released_at=None)
                await change.session.execute(hold)
            held.append(conversation_id)
    return held


async def _take_in(tickets: Tickets, change: Change, conversation_id: UUID) -> None:
    """What was said meanwhile. A promise that was kept there must not ring as soon as its clock runs again."""
    transcript = await transcript_of(change.session, conversation_id)
    if transcript is not None:
        await tickets.take_in(change, transcript)


async def _give_again(change: Change) -> None:
    """Not to who is off duty or has no room left. What people take back themselves is theirs."""
    holder_id = change.ticket.operator_id
    if holder_id is None or holder_id == change.actor.id:
        return
    try:
        await require_room(change.session, holder_id, change.now)
    except (OperatorAbsent, OperatorFull):
        holder = await change.session.get_one(Operator, holder_id)
        await change.assign(None, "", without=holder.name)


async def _audit(change: Change, action: str) -> None:
    by = await change.session.get(Operator, change.actor.id) if change.actor.id else None
    audit(change.session, action, by, change.now, subject=change.ticket.id, about=change.ticket.number)
