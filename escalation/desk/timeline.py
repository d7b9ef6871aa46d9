"""The thread and the history of a ticket as one line of steps, in the operator's language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from chat.dates import moment_text
from chat.strings import Catalogue
from escalation.directory import Department, named
from escalation.models import TicketEvent, TicketMessage
from escalation.ownership import action_word
from escalation.sla.durations import clock_text
from escalation.sla.words import alarm_text, breach_text
from escalation.states import HIGH, operators_word
from escalation.store import OperatorsTicket

_STANDS_AS_MESSAGE = frozenset({"replied", "said", "said_automatically", "noted", "escalated"})
"""Events whose message is a step of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """`kind` is transcript, message, note or event; `text` of an event is a whole sentence."""

    kind: str
    at: datetime
    text: str
    icon: str = ""
    message: TicketMessage | None = None


def steps_of(found: OperatorsTicket, departments: Sequence[Department], c: Catalogue, zone: ZoneInfo) -> list[Step]:
    said = [Step(message.kind, message.at, message.text, message=message) for message in found.messages]
    names = {department.slug: named(department.names, c.locale) for department in departments}
    happened = [
        Step("event", event.at, event_text(event, names, c, zone), _ICONS.get(event.type, "clock"))
        for event in found.events
        if event.type not in _STANDS_AS_MESSAGE
    ]
    return sorted([*said, *happened], key=lambda step: (step.at, step.kind == "event"))


def origin_of(found: OperatorsTicket) -> str:
    """Where it came from: split, chat, mail, area (the form there), or left (a message)."""
    opened: dict[str, TicketEvent] = {}
    for event in found.events:
        opened.setdefault(event.type, event)
    created = opened.get("created")
    if "split_from" in opened:
        return "split"
    if found.ticket.contact_channel in ("chat", "mail"):
        return found.ticket.contact_channel
    return "area" if created is not None and created.actor_id is not None else "left"


def handed_note(found: OperatorsTicket) -> TicketMessage | None:
    """What who handed the ticket over wrote for the department that has it; None once somebody there has answered."""
    for event in reversed(found.events):
        if event.type == "replied":
            return None
        if event.type == "department":
            seq = event.data.get("note")
            return next((message for message in found.messages if message.seq == seq), None)
    return None


_ICONS = {
    "created": "ticket",
    "state": "half",
    "assigned": "assign",
    "department": "transfer",
    "handed_over": "assign",
    "priority": "high",
    "links_revoked": "lock",
    "mail_refused": "bounce",
    "proven": "verified",
    "alarm": "bell",
    "breached": "overdue",
    "tags": "tag",
    "detached": "chat",
    "mentioned": "users",
    "participant_added": "users",
    "participant_removed": "users",
    "action": "check",
    "action_override": "alert",
    "linked": "ticket",
    "unlinked": "ticket",
    "merged": "transfer",
    "absorbed": "transfer",
    "split": "transfer",
    "split_from": "transfer",
    "follows": "ticket",
}


def event_text(event: TicketEvent, departments: Mapping[str, str], c: Catalogue, zone: ZoneInfo) -> str:  # noqa: C901
    data: Mapping[str, Any] = event.data
    match event.type:
        case "created" if event.actor_kind == "operator":
            return c.gettext("Ticket opened by %(name)s") % {"name": event.actor_name}
        case "created":
            return _opened_text(event, c)
        case "state" if (days := data.get("days")) is not None:
            said = c.ngettext(
                "Closed after %(num)s day without a message", "Closed after %(num)s days without a message", days
            )
            return said % {"num": days}
        case "state" if data.get("reason") == "spam":
            return c.gettext("Marked as spam by %(name)s") % {"name": event.actor_name}
        case "state" if data.get("taken_back"):
            words = {"name": event.actor_name, "state": operators_word(data["to"], c)}
            return c.gettext("No spam, taken back by %(name)s. State: %(state)s") % words
        case "detached":
            return c.gettext("%(name)s detached the conversation: it goes on alone") % {"name": event.actor_name}
        case "state":
            return c.gettext("State: %(state)s") % {"state": operators_word(data["to"], c)}
        case "assigned" if data.get("operator"):
            return c.gettext("Assigned to %(name)s") % {"name": data["name"]}
        case "assigned" if data.get("without"):
            return c.gettext("%(without)s is off duty or has no room: assigned to nobody") % data
        case "assigned":
            return c.gettext("Assigned to nobody")
        case "handed_over" if data.get("operator"):
            return c.gettext("%(from)s is off duty: handed over to %(name)s, the least loaded of %(number)s") % data
        case "handed_over":
            return c.gettext("%(from)s is off duty and nobody on shift has room: waits for the department") % data
        case "priority":
            return c.gettext("Priority: high") if data["to"] == HIGH else c.gettext("Priority: normal")
        case "department":
            return c.gettext("Department: %(name)s") % {"name": departments.get(data["to"], data["to"])}
        case "first_reply":
            target = data.get("target", 600)
            words = {"time": clock_text(data["seconds"]), "minutes": target // 60}
            if data["seconds"] <= target:
                return c.gettext("First reply after %(time)s, within %(minutes)s min") % words
            return c.gettext("First reply after %(time)s, later than promised") % words
        case "alarm":
            return alarm_text(data, c)
        case "alarm_seen":
            return c.gettext("%(name)s has seen the alarm") % {"name": event.actor_name}
        case "breached":
            return breach_text(data, c)
        case "breach_reason":
            return c.gettext("Why it was late: %(reason)s") % data
        case "update_by":
            due = moment_text(datetime.fromisoformat(data["due"]), event.at, zone, c.locale)
            return c.gettext("Investigating, next update by %(time)s") % {"time": due}
        case "clock_applied":
            return c.gettext("Policy “%(policy)s” changed to version %(version)s: the due was computed again") % data
        case "said_automatically":
            return c.gettext("Automatic message")
        case "started":
            return c.gettext("The requester says which time was meant")
        case "mail_refused":
            return c.gettext("Mail to %(recipient)s was refused (%(code)s)") % data
        case "proven":
            return c.gettext("The requester has confirmed %(address)s") % data
        case "links_revoked":
            return c.gettext("All links to the ticket have ended")
        case "participant_added":
            return c.gettext("%(address)s takes part, added by %(name)s") % {**data, "name": event.actor_name}
        case "participant_removed":
            return c.gettext("%(address)s takes part no longer, removed by %(name)s") % {
                **data, "name": event.actor_name,
            }  # fmt: skip
        case "tags" | "mentioned" | "action" | "action_override":
            return _act_text(event, c)
        case "linked" | "unlinked" | "merged" | "absorbed" | "split" | "split_from" | "follows":
            return relation_text(event.type, data, c)
        case other:
            return other


def _opened_text(event: TicketEvent, c: Catalogue) -> str:
    """By somebody outside. Whoever signed in to open it has an id."""
    if event.data.get("channel") == "mail":
        return c.gettext("Ticket opened by mail")
    if event.actor_id is not None:
        return c.gettext("Ticket opened in the client area")
    return c.gettext("Ticket opened by a message that was left")


def _act_text(event: TicketEvent, c: Catalogue) -> str:
    data: Mapping[str, Any] = event.data
    match event.type:
        case "tags":
            signed = [f"+{tag}" for tag in data["added"]] + [f"−{tag}" for tag in data["removed"]]
            return c.gettext("Tags: %(tags)s") % {"tags": ", ".join(signed)}
        case "mentioned":
            return c.gettext("%(name)s was named and sees the ticket") % data
        case _:
            words = {
                "name": event.actor_name, "action": action_word(data["action"], c), "level": data["level"],
                "needed": data["needed"], "reason": data.get("reason", ""),
            }  # fmt: skip
            if event.type == "action":
                return c.gettext("%(action)s by %(name)s, asked for at level %(level)s") % words
            return (
                c.gettext(
                    "%(action)s by %(name)s although asked for at level %(level)s and level %(needed)s is needed: "
                    "%(reason)s"
                )
                % words
            )


def relation_text(relation: str, data: Mapping[str, Any], c: Catalogue) -> str:
    match relation:
        case "linked":
            return c.gettext("Linked with %(number)s") % data
        case "unlinked":
            return c.gettext("No longer linked with %(number)s") % data
        case "merged":
            return c.gettext("Merged into %(number)s") % data
        case "absorbed":
            return c.gettext("%(number)s was merged into this ticket") % data
        case "follows":
            return c.gettext("Goes on from %(number)s, which is closed") % data
        case "split":
            return c.gettext("A message was split off as %(number)s") % data
        case _:
            return c.gettext("Split off from %(number)s") % data


def why_text(event: TicketEvent, departments: Mapping[str, str], c: Catalogue, zone: ZoneInfo) -> str:
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
            return event_text(event, departments, c, zone)
