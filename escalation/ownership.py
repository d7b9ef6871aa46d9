"""Actions that only the owner of an account may ask for, and who did them all the same.

What counts is the level of the message that asks for it, not that of the ticket: a forged mail gains nothing. Below the
level the action is refused, by page and API alike; an override stores who and why and stands on the ticket (S19).
"""

from enum import StrEnum
from uuid import UUID

import structlog
from sqlmodel import select

from chat.public import Operator, audit
from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.change import Actor, checked
from escalation.errors import NeedsOwnership, NotPossible, TextEmpty
from escalation.models import Ticket, TicketMessage

OWNERSHIP, STEP_UP = 2, 4
REASON_LIMIT = 500

log = structlog.get_logger(__name__)


class Action(StrEnum):
    ACCOUNT_ANSWER = "account_answer"
    CONTACT_CHANGE = "contact_change"
    CANCELLATION = "cancellation"
    ACCESS_RESET = "access_reset"
    SERVER_CHANGE = "server_change"


NEEDED = {
    Action.ACCOUNT_ANSWER: OWNERSHIP,
    Action.CONTACT_CHANGE: OWNERSHIP,
    Action.CANCELLATION: OWNERSHIP,
    Action.ACCESS_RESET: STEP_UP,
    Action.SERVER_CHANGE: STEP_UP,
}


def action_word(action: str, c: Catalogue) -> str:
    match action:
        case Action.ACCOUNT_ANSWER:
            return c.gettext("Account data told")
        case Action.CONTACT_CHANGE:
            return c.gettext("Contact details changed")
        case Action.CANCELLATION:
            return c.gettext("Service cancelled or moved")
        case Action.ACCESS_RESET:
            return c.gettext("Password or key reset")
        case Action.SERVER_CHANGE:
            return c.gettext("Server restarted, reinstalled or restored")
        case other:
            return other


def level_of(message: TicketMessage) -> int:
    """A transcript is as sure as the ticket it began, wherever it was merged into; what an operator wrote asks for
    nothing."""
    asks = message.kind == "transcript" or (message.kind == "message" and message.author_kind == "requester")
    return message.sender_level if asks else 0


async def record_action(
    tickets: Tickets, ticket_id: UUID, actor: Actor, action: Action, *, asked_in: int, reason: str = "", version: int
) -> Ticket:
    """The operator states that they do it, because message `asked_in` asks for it.

    Raises NeedsOwnership where the level of that message does not allow it and no `reason` for an override is given.
    """
    if actor.kind != "operator" or actor.id is None:
        raise NotPossible  # an override has a name, or it is none
    async with tickets.changing(ticket_id, actor) as change:
        change.expect(version)
        found = await change.session.exec(
            select(TicketMessage).where(TicketMessage.ticket_id == ticket_id, TicketMessage.seq == asked_in)
        )
        message = found.first()
        if message is None:
            raise NotPossible
        level, needed = level_of(message), NEEDED[action]
        if level >= needed:
            change.record("action", action=action.value, level=level, needed=needed, message=asked_in)
            return change.ticket
        try:
            why = checked(reason, limit=REASON_LIMIT)
        except TextEmpty:
            raise NeedsOwnership(level, needed) from None
        change.record("action_override", action=action.value, level=level, needed=needed, message=asked_in, reason=why)
        by = await change.session.get_one(Operator, actor.id)
        audit(
            change.session, "ownership.overridden", by, change.now, subject=ticket_id, about=change.ticket.number,
            changes={"action": action.value, "level": level, "needed": needed, "reason": why},
        )  # fmt: skip
    log.warning(
        "ownership overridden",
        ticket=change.ticket.number, operator=str(actor.id), action=action.value, level=level, needed=needed,
    )  # fmt: skip
    return change.ticket
