"""A ticket goes to another department, with a note that stands first there; and the way back."""

from contextlib import suppress
from uuid import UUID

from escalation.actions import Tickets
from escalation.change import Actor, Change, checked
from escalation.directory import named_in
from escalation.errors import NotPossible, OperatorAbsent, OperatorFull
from escalation.models import Ticket
from escalation.sla.crew import in_department, require_room


async def transfer(
    tickets: Tickets, ticket_id: UUID, actor: Actor, slug: str, note: str, *, version: int, ref: str
) -> Ticket:
    """`note` is for operators only and is read first until somebody answers. Raises NotPossible for an unknown
    department and for the one that has it."""
    note = checked(note)
    department_id = await _department(tickets, slug)
    people = await tickets.directory.operators()
    async with tickets.changing(ticket_id, actor) as change:
        if await change.said_before(ref):
            return change.ticket
        change.expect(version)
        if change.ticket.department_id == department_id:
            raise NotPossible
        message = change.note(note, ref=ref)
        await change.mention(named_in(note, people))
        await _move(change, department_id, slug, message.seq)
    return change.ticket


async def send_back(
    tickets: Tickets, ticket_id: UUID, actor: Actor, slug: str, holder: UUID | None, *, version: int
) -> Ticket:
    """A transfer is taken back: to the department, and to who had it if they may still be given it."""
    department_id = await _department(tickets, slug)
    names = {colleague.id: colleague.name for colleague in await tickets.directory.operators()}
    async with tickets.changing(ticket_id, actor) as change:
        change.expect(version)
        await _move(change, department_id, slug)
        if holder is not None and holder in names and change.ticket.operator_id is None:
            with suppress(OperatorAbsent, OperatorFull):
                if holder != actor.id:
                    await require_room(change.session, holder, change.now)
                await change.assign(holder, names[holder])
    return change.ticket


async def _move(change: Change, department_id: UUID, slug: str, note: int | None = None) -> None:
    """Who has it and is not of that department has it no more."""
    await change.hand_to(department_id, slug, note)
    holder = change.ticket.operator_id
    if holder is not None and department_id not in await in_department(change.session, holder):
        await change.assign(None, "")


async def _department(tickets: Tickets, slug: str) -> UUID:
    found = next((one.id for one in await tickets.directory.departments() if one.slug == slug), None)
    if found is None:
        raise NotPossible
    return found
