"""What the engine did, and why, as a line that people read. Pure."""

from collections.abc import Mapping
from typing import Any

from chat.strings import Catalogue
from escalation.sla.durations import clock_text
from escalation.sla.policies import NEXT_REPLY, UPDATE_BY


def policy_text(name: str, c: Catalogue) -> str:
    """A policy that is called as it was shipped has its name in every language; what a company named is its own."""
    shipped = {"Live chat": c.gettext("Live chat"), "E-mail": c.gettext("E-mail"), "Tickets": c.gettext("Tickets")}
    return shipped.get(name, name)


def alarm_text(data: Mapping[str, Any], c: Catalogue) -> str:
    after, before = clock_text(max(0, data["after"])), clock_text(max(0, -data["after"]))
    since = c.gettext("%(time)s before the due") % {"time": before} if data["after"] < 0 else after
    words = {"time": since, "name": data.get("name", ""), "number": data.get("number", 0)}
    if absent := data.get("absent"):
        said = c.gettext("%(time)s without a reply: %(name)s is off duty, the department alerted")
        return said % {"time": since, "name": absent}
    match data["step"], bool(words["name"]):
        case "assigned", True if data.get("talk"):
            return c.gettext("%(time)s without a reply: %(name)s alerted again, the conversation is theirs") % words
        case "assigned", True:
            return c.gettext("%(time)s without a reply: %(name)s alerted again, the ticket is theirs") % words
        case "assigned", False:
            return c.gettext("%(time)s without a reply: the department alerted, nobody is assigned") % words
        case "offer", True:
            return c.gettext("%(time)s without a reply: offered to %(name)s, the least loaded of %(number)s") % words
        case "offer", False:
            return c.gettext("%(time)s without a reply: nobody else of the department is present and has room") % words
        case _, True:
            return c.gettext("%(time)s without a reply: supervisors alerted: %(name)s") % words
        case _:
            return c.gettext("%(time)s without a reply: there is no supervisor to alert") % words


def breach_text(data: Mapping[str, Any], c: Catalogue) -> str:
    match data["metric"]:
        case metric if metric == NEXT_REPLY:
            said = c.gettext("Breached: no reply by the time promised")
        case metric if metric == UPDATE_BY:
            said = c.gettext("Breached: no update by the time promised")
        case _:
            said = c.gettext("Breached: no first reply by the time promised")
    cause = cause_text(data.get("cause", {}), c)
    return f"{said}. {cause}" if cause else said


def cause_text(cause: Mapping[str, Any], c: Catalogue) -> str:
    """How it stood at that moment; empty for what an earlier version recorded."""
    match cause.get("code"):
        case "held":
            return c.gettext("%(name)s had it.") % cause
        case "absent":
            return c.gettext("%(name)s had it and was off duty.") % cause
        case "nobody_on_shift":
            return c.gettext("Nobody of the department was on shift.")
        case "nobody_here":
            return c.gettext("On shift: %(number)s; none of them was there.") % cause
        case "all_full":
            return c.gettext("There: %(number)s; none of them had room.") % cause
        case "not_taken":
            return c.gettext("Nobody took it; with room: %(number)s.") % cause
        case _:
            return ""
