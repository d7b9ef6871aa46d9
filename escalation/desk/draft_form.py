"""The escalation form: a draft as fields, and fields back as a draft. Nothing typed is ever lost on an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from chat.public import Refusal, checked_address
from chat.strings import Catalogue
from escalation.draft import Address, Drafted, Origin, Source, Start, TicketDraft
from escalation.facts import Certainty, Fact, Kind, Question, find_facts
from escalation.handoff import start_of
from escalation.states import HIGH, NORMAL

T = TypeVar("T")
BY_OPERATOR = Origin(Source.OPERATOR)
SUBJECT_MAX = 200
LONGEST = {"requester_name": 120, "service": 200, "more": 400, "started": 120}


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the form."""

    subject: str
    department: str
    priority: str
    requester_name: str
    requester_email: str
    service: str
    orders: Sequence[str]
    addresses: Sequence[str]
    more: str
    """Further order numbers and addresses, as typed."""
    started: str


@dataclass(slots=True)
class Read:
    draft: TicketDraft
    errors: dict[str, str] = field(default_factory=dict)


def fields_of(draft: TicketDraft, zone: ZoneInfo) -> Fields:
    return Fields(
        subject=draft.subject.value,
        department=draft.department.value,
        priority="high" if draft.priority.value == HIGH else "normal",
        requester_name=draft.requester_name.value,
        requester_email=draft.requester_email.value,
        service=draft.service.value,
        orders=[order.value for order in draft.orders],
        addresses=[address.value.value for address in draft.addresses if address.value.public],
        more="",
        started=started_text(draft.start.value, zone),
    )


def started_text(start: Start | None, zone: ZoneInfo) -> str:
    """`2026-11-21 14:20 CET`, which reads back as the same instant; an unclear time as it was said."""
    if start is None:
        return ""
    if start.instant is None:
        return start.raw
    # Babel's Slovenian data prints an offset instead of CET, so the name is the zone's own.
    return start.instant.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def fields_from(form: Mapping[str, Sequence[str]]) -> Fields:
    """What is typed stays whole, `read` says what is too long; what is picked is cut to what it can be."""

    def one(name: str, limit: int | None = None) -> str:
        return (form.get(name) or [""])[0].strip()[:limit]

    return Fields(
        subject=one("subject"),
        department=one("department", 40),
        priority=one("priority", 10),
        requester_name=one("requester_name"),
        requester_email=one("requester_email"),
        service=one("service"),
        orders=[value[:20] for value in form.get("order", [])][:50],
        addresses=[value[:45] for value in form.get("address", [])][:50],
        more=one("more"),
        started=one("started"),
    )


def read(fields: Fields, proposed: TicketDraft, now: datetime, zone: ZoneInfo, c: Catalogue) -> Read:
    """The draft that the operator confirms. What was left as proposed keeps its origin."""
    errors: dict[str, str] = {}
    if not fields.subject:
        errors["subject"] = c.gettext("Write what the ticket is about.")
    elif len(fields.subject) > SUBJECT_MAX:
        errors["subject"] = c.gettext("The subject is longer than 200 characters. Shorten it.")
    for name, limit in LONGEST.items():
        if len(getattr(fields, name)) > limit:
            errors[name] = c.gettext("This is longer than %(num)s characters. Shorten it.") % {"num": limit}
    email = fields.requester_email
    if email:
        try:
            email = checked_address(email)
        except Refusal:
            errors["requester_email"] = c.gettext(
                "The e-mail address is not complete. Check it, for example name@company.com."
            )
    orders, addresses = _picked(fields, proposed)
    more = "" if "more" in errors else fields.more
    for word in more.replace(",", " ").split():
        found = _more(word, now, zone)
        if found is None:
            errors["more"] = c.gettext("“%(word)s” is neither an order number nor an address.") % {"word": word}
        elif found.kind is Kind.ORDER:
            orders.append(Drafted(found.value, BY_OPERATOR))
        else:
            addresses.append(Drafted(Address(found.value, found.public), BY_OPERATOR))
    draft = replace(
        proposed,
        subject=_kept(fields.subject, proposed.subject),
        department=_kept(fields.department, proposed.department),
        priority=_kept(HIGH if fields.priority == "high" else NORMAL, proposed.priority),
        requester_name=_kept(fields.requester_name, proposed.requester_name),
        requester_email=_kept(email, proposed.requester_email),
        service=_kept(fields.service, proposed.service),
        orders=tuple(orders),
        addresses=tuple(addresses),
        start=proposed.start if "started" in errors else _start(fields.started, proposed, now, zone),
    )
    return Read(draft, errors)


def _kept(value: T, proposed: Drafted[T]) -> Drafted[T]:
    return proposed if value == proposed.value else Drafted(value, BY_OPERATOR)


def _picked(fields: Fields, proposed: TicketDraft) -> tuple[list[Drafted[str]], list[Drafted[Address]]]:
    """Only what was found can be picked: a forged value of a checkbox is nothing."""
    orders = [order for order in proposed.orders if order.value in fields.orders]
    return orders, [address for address in proposed.addresses if address.value.value in fields.addresses]


def _more(word: str, now: datetime, zone: ZoneInfo) -> Fact | None:
    """In this field a bare number is an order number."""
    text = f"#{word}" if word.isascii() and word.isdigit() else word
    found = [fact for fact in find_facts(text, now, zone) if fact.kind is not Kind.TIME]
    return found[0] if found else None


def _start(text: str, proposed: TicketDraft, now: datetime, zone: ZoneInfo) -> Drafted[Start | None]:
    if text == started_text(proposed.start.value, zone):
        return proposed.start
    if not text:
        return Drafted(None, BY_OPERATOR)
    times = [fact for fact in find_facts(text, now, zone) if fact.kind is Kind.TIME]
    # An unclear time never stops a ticket: it is kept as written.
    start = start_of(times[0]) if times else Start(None, text, "", Certainty.UNCLEAR, Question.WHICH_TIME)
    return Drafted(start, BY_OPERATOR)
