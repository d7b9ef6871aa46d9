"""The thread and the history of a ticket as one line of steps, in the operator's language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat.strings import Catalogue
from escalation.directory import Department, named
from escalation.models import TicketEvent, TicketMessage
from escalation.sla.durations import clock_text
from escalation.sla.first_reply import TARGET
from escalation.states import HIGH, operators_word
from escalation.store import OperatorsTicket

_STANDS_AS_MESSAGE = frozenset({"replied", "said", "noted", "escalated"})
"""Events whose message is a step of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """`kind` is transcript, message, note or event; `text` of an event is a whole sentence."""

    kind: str
    at: datetime
    text: str
    icon: str = ""
    message: TicketMessage | None = None


def steps_of(found: OperatorsTicket, departments: Sequence[Department], c: Catalogue) -> list[Step]:
    said = [Step(message.kind, message.at, message.text, message=message) for message in found.messages]
    names = {department.slug: named(department.names, c.locale) for department in departments}
    happened = [
        Step("event", event.at, event_text(event, names, c), _ICONS.get(event.type, "clock"))
        for event in found.events
        if event.type not in _STANDS_AS_MESSAGE
    ]
    return sorted([*said, *happened], key=lambda step: (step.at, step.kind == "event"))


_ICONS = {"created": "ticket", "state": "half", "assigned": "assign", "priority": "high", "links_revoked": "lock"}


def event_text(event: TicketEvent, departments: Mapping[str, str], c: Catalogue) -> str:
    data: Mapping[str, Any] = event.data
    match event.type:
        case "created" if event.actor_kind == "operator":
            return c.gettext("Ticket opened by %(name)s") % {"name": event.actor_name}
        case "created":
            return c.gettext("Ticket opened by a message that was left")
        case "state":
            return c.gettext("State: %(state)s") % {"state": operators_word(data["to"], c)}
        case "assigned" if data.get("operator"):
            return c.gettext("Assigned to %(name)s") % {"name": data["name"]}
        case "assigned":
            return c.gettext("Assigned to nobody")
        case "priority":
            return c.gettext("Priority: high") if data["to"] == HIGH else c.gettext("Priority: normal")
        case "department":
            return c.gettext("Department: %(name)s") % {"name": departments.get(data["to"], data["to"])}
        case "first_reply":
            words = {"time": clock_text(data["seconds"])}
            if data["seconds"] <= TARGET.total_seconds():
                return c.gettext("First reply after %(time)s, within 10 min") % words
            return c.gettext("First reply after %(time)s, later than promised") % words
        case "links_revoked":
            return c.gettext("All links to the ticket have ended")
        case other:
            return other


def why_text(event: TicketEvent, departments: Mapping[str, str], c: Catalogue) -> str:
    """The same fact in the history beside the ticket, with the ones that stand as messages."""
    match event.type:
        case "replied":
            return c.gettext("Reply by %(name)s") % {"name": event.actor_name}
        case "said":
            return c.gettext("Message by the requester")
        case "noted":
            return c.gettext("Note by %(name)s") % {"name": event.actor_name}
        case "escalated":
            return c.gettext("Transcript frozen")
        case _:
            return event_text(event, departments, c)
