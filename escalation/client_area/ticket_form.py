"""The form of a new ticket: fields, what is wrong with them, and the ticket they mean. Pure.

High priority wants an address or an order number and a description, and nothing else can refuse it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from chat.strings import Catalogue
from escalation.client_area.began import ClockQuestion, began
from escalation.customers.registry import OwnedService
from escalation.draft import Start
from escalation.facts import Kind, find_facts
from escalation.handoff import subject_of
from escalation.states import HIGH, NORMAL, SUBJECT_LIMIT, TEXT_LIMIT

MOST_PIECES = 8
LONGEST = MOST_PIECES * TEXT_LIMIT
"""Of a description: what is longer than one message becomes several."""
MOST_NUMBERS = 20
_CHOSEN = {
    "department": 40, "priority": 10, "service": 40, "zone": 64, "device": 64, "pick": 40, "ref": 64, "follows": 20,
}  # fmt: skip
"""What nobody types, and how long it can be."""
_TYPED = {"subject": SUBJECT_LIMIT, "other": 200, "where": 400, "text": LONGEST, "diagnostics": LONGEST}
"""How long what is typed may be. It stays whole in the form, and an outage whole in its ticket."""


@dataclass(frozen=True, slots=True)
class Fields:
    """As they stand in the form."""

    department: str = ""
    priority: str = ""
    subject: str = ""
    service: str = ""
    """Id of a service of the account."""
    other: str = ""
    """A service by another name."""
    where: str = ""
    """Server addresses and order numbers."""
    day: str = ""
    clock: str = ""
    zone: str = ""
    device: str = ""
    """The zone of the device, where a script could ask it."""
    pick: str = ""
    text: str = ""
    diagnostics: str = ""
    ref: str = ""
    follows: str = ""
    """Number of the closed ticket it follows."""

    @property
    def is_high(self) -> bool:
        return self.priority == "high"

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> "Fields":
        names = (one.name for one in dataclass_fields(cls))
        found = {name: str(form.get(name, "")).replace("\r\n", "\n").strip(" \n") for name in names}
        return cls(**found | {name: found[name][:limit] for name, limit in _CHOSEN.items()})

    def kept(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class NewTicket:
    department: str
    priority: int
    subject: str
    texts: Sequence[str]
    """The description, then the diagnostics, in pieces that a message holds."""
    service_id: Any
    service_label: str
    orders: Sequence[str]
    addresses: Sequence[str]
    start: Start | None
    follows: str


@dataclass(slots=True)
class Read:
    new: NewTicket | None
    errors: dict[str, str] = field(default_factory=dict)
    question: ClockQuestion | None = None


def read(
    fields: Fields,
    *,
    departments: Sequence[str],
    services: Sequence[OwnedService],
    now: datetime,
    company: ZoneInfo,
    c: Catalogue,
) -> Read:
    """`departments`: slugs, the first is the default. A `new` without errors and question can be opened."""
    errors: dict[str, str] = {}
    department = fields.department if fields.department in departments else ""
    if not department and fields.department and not fields.is_high:
        errors["department"] = c.gettext("There is no such department. Choose one.")
    if len(fields.text.split()) < 2:
        errors["text"] = c.gettext("Write what happens, in a sentence or two: what you see, and since when.")
    long = {name for name, limit in _TYPED.items() if len(getattr(fields, name)) > limit}
    for name in long if not fields.is_high else ():
        errors[name] = _length_word(name, c)
    orders, addresses, unknown = _where(fields.where, now, company)
    if max(len(orders), len(addresses)) > MOST_NUMBERS:
        long.add("where")
    if fields.is_high and not orders and not addresses:
        errors["where"] = c.gettext(
            "For a critical incident we need the IP address of the server or the order number, for example #123456."
        )
    elif "where" in long and not fields.is_high:
        errors["where"] = _length_word("where", c)
    elif unknown and not fields.is_high:
        errors["where"] = c.gettext("“%(word)s” is neither an order number nor an address.") % {"word": unknown[0]}
    when = began(fields.day, fields.clock, fields.zone, fields.device, fields.pick, now=now, company=company)
    if when.error and not fields.is_high:
        errors["clock" if when.error != "day" else "day"] = _time_word(when.error, c)
    service = next((one for one in services if str(one.id) == fields.service), None)
    pieces = [*_pieces(fields.text), *_pieces(_diagnostics(fields, unknown, long, c))]
    new = NewTicket(
        department=department or departments[0],
        priority=HIGH if fields.is_high else NORMAL,
        subject=fields.subject[:SUBJECT_LIMIT]
        or subject_of(fields.text)[:SUBJECT_LIMIT]
        or fields.text[:SUBJECT_LIMIT],
        texts=pieces,
        service_id=service.id if service else None,
        service_label=service.name if service else fields.other,
        orders=orders[:MOST_NUMBERS],
        addresses=addresses[:MOST_NUMBERS],
        start=when.start,
        follows=fields.follows,
    )
    return Read(new, errors, None if fields.is_high else when.question)


def _where(text: str, now: datetime, company: ZoneInfo) -> tuple[list[str], list[str], list[str]]:
    """(order numbers, addresses, what is neither); in this field a bare number is an order number."""
    orders: dict[str, None] = {}
    addresses: dict[str, None] = {}
    unknown = []
    words = text[: _TYPED["where"]].replace(",", " ").replace(";", " ").split()
    if len(text) > _TYPED["where"]:
        words = words[:-1]  # the last one is cut: another number
    for word in words:
        marked = f"#{word}" if word.isascii() and word.isdigit() else word
        found = [fact for fact in find_facts(marked, now, company) if fact.kind is not Kind.TIME]
        if not found:
            unknown.append(word)
        for fact in found:
            (orders if fact.kind is Kind.ORDER else addresses)[fact.value] = None
    return list(orders), list(addresses), unknown


def _diagnostics(fields: Fields, unknown: Sequence[str], long: Collection[str], c: Catalogue) -> str:
    """With what was written as an address and is none, and what a field of the ticket cannot hold: an outage report
    loses nothing."""
    if not fields.is_high:
        return fields.diagnostics
    where = fields.where if "where" in long else " ".join(unknown)
    found = [f"{c.gettext('Server IP or order number')}: {where}"] if where else []
    if "subject" in long:
        found.append(f"{c.gettext('Subject')}: {fields.subject}")
    if "other" in long:
        found.append(f"{c.gettext('Service')}: {fields.other}")
    return "\n\n".join([*found, fields.diagnostics]).strip()


def _pieces(text: str) -> list[str]:
    """At ends of lines where there are some, so that no message is longer than it may be."""
    found = []
    rest = text.strip()
    while len(rest) > TEXT_LIMIT:
        cut = rest.rfind("\n", TEXT_LIMIT // 2, TEXT_LIMIT)
        cut = cut if cut > 0 else TEXT_LIMIT
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip("\n")
    return [*found, rest] if rest.strip() else found


def _length_word(name: str, c: Catalogue) -> str:
    match name:
        case "subject":
            return c.gettext("The subject is longer than 200 characters. Shorten it.")
        case "where":
            return c.gettext(
                "Up to 20 addresses and order numbers in 400 characters fit here. Write the others into the "
                "description."
            )
        case "other":
            return c.gettext("This is longer than %(num)s characters. Shorten it.") % {"num": _TYPED[name]}
        case _:
            return c.gettext("The text is longer than 80,000 characters. Send the rest as a file.")


def _time_word(error: str, c: Catalogue) -> str:
    match error:
        case "day":
            return c.gettext("Write the day as 2026-11-21.")
        case "future":
            return c.gettext("This time is still to come. When did it begin?")
        case _:
            return c.gettext("Write the time as 14:20.")
