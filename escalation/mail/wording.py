"""The words of each kind of letter, in the language of who gets it. Pure.

`data` holds what the letter was posted with: `company`, `path` where the verified way to a ticket is offered (it is
`path_url`), and of the kind confirm_address and address_changed also
`types` (billing, support, abuse, service; apart by spaces), `account` and `change` (added, replaced, removed); of
password_changed `customer`, `browser`, `at` (ISO 8601) and `change` (set, changed), of signed_in the first three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from chat.strings import Catalogue
from escalation.mail import letter
from escalation.mail.headers import one_line, ticket_subject
from escalation.mail.told import Told
from escalation.mail.words import Button, Paragraph, Part, Said, Small, Words
from escalation.states import requesters_word


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it: in which language, what their clock shows, and what now is."""

    c: Catalogue
    zone: ZoneInfo
    now: datetime

    def time(self, at: datetime) -> str:
        """`14:42 CET`, with the day if it is not today."""
        local = at.astimezone(self.zone)
        clock = f"{local:%H:%M} {local.tzname()}"
        if local.date() == self.now.astimezone(self.zone).date():
            return clock
        return f"{format_date(local, 'medium', locale=self.c.locale)}, {clock}"


def type_words(c: Catalogue) -> dict[str, str]:
    return {
        "billing": c.gettext("invoices and orders"),
        "support": c.gettext("support and tickets"),
        "abuse": c.gettext("abuse and security"),
        "service": c.gettext("service notices"),
    }


def word(
    kind: str, data: Mapping[str, str], link: str, expires_at: datetime | None, told: Told | None, reader: Reader
) -> Words:
    """`told` is there for all letters about tickets."""
    until = reader.time(expires_at) if expires_at else ""
    match kind:
        case letter.SIGN_IN:
            return _sign_in(data, link, until, reader)
        case letter.CONFIRM_ADDRESS:
            return _confirm(data, link, until, reader)
        case letter.ADDRESS_CHANGED:
            return _changed(data, link, reader)
        case letter.PASSWORD_CHANGED:
            return _password(data, link, reader)
        case letter.SIGNED_IN:
            return _signed_in(data, link, reader)
        case letter.TICKET_NEUTRAL:
            return _neutral(data, link, reader)
    if told is None:
        raise ValueError(f"{kind} tells of a ticket")
    match kind:
        case letter.TICKET_OPENED:
            return _opened(told, data, link, reader)
        case letter.TICKET_SHARED:
            return _shared(told, one_line(data.get("by", "")), link, reader)
        case _:
            return _reply(told, link, reader)


def _sign_in(data: Mapping[str, str], link: str, until: str, reader: Reader) -> Words:
    c = reader.c
    says = c.gettext("with this link you sign in to the client area. It works once, until %(time)s.") % {"time": until}
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says),
        Button(c.gettext("Sign in"), link),
        Small(c.gettext("If you did not ask for it, do nothing: without this mail nobody can sign in.")),
    ]
    return Words(_titled(c.gettext("Your sign-in link"), data), parts)


def _confirm(data: Mapping[str, str], link: str, until: str, reader: Reader) -> Words:
    c = reader.c
    says = c.gettext(
        "this address is to get mail of the account %(account)s: %(types)s. Nothing is sent to it before you confirm. "
        "The link works once, until %(time)s."
    ) % {"account": one_line(data.get("account", "")), "types": _types(data, c), "time": until}
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says),
        Button(c.gettext("Confirm the address"), link),
        Small(c.gettext("If you know nothing of it, do nothing: nobody will write to you.")),
    ]
    return Words(_titled(c.gettext("Please confirm your address"), data), parts)


def _changed(data: Mapping[str, str], link: str, reader: Reader) -> Words:
    """`change`: removed (this address), added (one beside it), replaced (another receives instead of it)."""
    c = reader.c
    values = {"account": one_line(data.get("account", "")), "types": _types(data, c)}
    match data.get("change"):
        case "removed":
            title = c.gettext("Your address was removed")
            says = c.gettext("this address gets no more mail of the account %(account)s about: %(types)s.") % values
        case "added":
            title = c.gettext("Another address was added")
            says = c.gettext(
                "a further address gets mail of the account %(account)s about: %(types)s. "
                "Nothing changes for yours: it goes on receiving that mail."
            )
            says %= values
        case _:
            title = c.gettext("Your mail goes to another address")
            says = c.gettext(
                "another address was confirmed for mail of the account %(account)s about: %(types)s. "
                "That mail goes there now, and no longer here."
            )
            says %= values
    parts: list[Part] = [Paragraph(c.gettext("Hello,") + "\n" + says)]
    if link:
        parts.append(Button(c.gettext("Look at the addresses"), link))
    parts.append(Small(c.gettext("If nobody of yours did this, tell us at once.")))
    return Words(_titled(title, data), parts)


def _of_access(data: Mapping[str, str], reader: Reader) -> dict[str, str]:
    return {
        "customer": one_line(data.get("customer", "")),
        "time": reader.time(datetime.fromisoformat(data["at"])),
        "browser": one_line(data.get("browser", "")) or reader.c.gettext("Unknown browser"),
    }


def _signed_in(data: Mapping[str, str], link: str, reader: Reader) -> Words:
    c = reader.c
    says = c.gettext(
        "%(customer)s signed in to the client area on a device that was not used for it before. When: %(time)s. "
        "With: %(browser)s."
    )
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says % _of_access(data, reader)),
        Paragraph(c.gettext("Was it you? Then there is nothing to do. If not, sign in by a link, set another password, "
                            "and tell us at once.")),
        Button(c.gettext("Sign in"), link),
    ]  # fmt: skip
    return Words(_titled(c.gettext("A sign-in on a new device"), data), parts)


def _password(data: Mapping[str, str], link: str, reader: Reader) -> Words:
    c = reader.c
    values = _of_access(data, reader)
    if data.get("change") == "set":
        title = c.gettext("A password was set")
        says = c.gettext("a password for the client area was set for %(customer)s. When: %(time)s. With: %(browser)s.")
    else:
        title = c.gettext("A password was changed")
        says = c.gettext(
            "the password of %(customer)s for the client area was changed. When: %(time)s. With: %(browser)s. "
            "Everybody who was signed in with the old one is signed out."
        )
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says % values),
        Paragraph(c.gettext("Was it you? Then there is nothing to do. If not, sign in by a link, set another password, "
                            "and tell us at once.")),
        Button(c.gettext("Sign in"), link),
    ]  # fmt: skip
    return Words(_titled(title, data), parts)


def _neutral(data: Mapping[str, str], link: str, reader: Reader) -> Words:
    """To an address that somebody typed: not a word of theirs, since it may be a stranger's."""
    c = reader.c
    says = c.gettext(
        "somebody wrote to us and gave this address for the answer. "
        "If it was you, confirm it, and our answers come here."
    )
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says),
        Button(c.gettext("Confirm the address"), link),
        *_path(data, c),
        Small(c.gettext("If it was not you, do nothing: no answer is sent here then.")),
    ]
    return Words(_titled(c.gettext("Please confirm your address"), data), parts)


def _opened(told: Told, data: Mapping[str, str], link: str, reader: Reader) -> Words:
    c = reader.c
    says = c.gettext("we have your message. The number of your ticket is %(number)s.") % {"number": told.number}
    if told.due_at is not None and told.due_at > reader.now:
        says += " " + c.gettext("A person answers by %(time)s.") % {"time": reader.time(told.due_at)}
    parts: list[Part] = [
        Paragraph(_greeting(told, c) + "\n" + says),
        Button(c.gettext("Open the ticket"), link),
        *_path(data, c),
        _alone(c),
    ]
    return Words(ticket_subject(told.number, told.subject), parts, one_line(told.company))


def _shared(told: Told, by: str, link: str, reader: Reader) -> Words:
    """To whom an operator lets take part; of what was said only the subject, the page has the rest."""
    c = reader.c
    says = c.gettext(
        "%(name)s added you to the ticket %(number)s. On its page you read what was said and can answer; "
        "further replies come to this address."
    ) % {"name": by, "number": told.number}
    parts: list[Part] = [
        Paragraph(c.gettext("Hello,") + "\n" + says),
        Button(c.gettext("Open the ticket"), link),
        _alone(c),
    ]
    return Words(ticket_subject(told.number, told.subject), parts, one_line(told.company))


def _path(data: Mapping[str, str], c: Catalogue) -> list[Part]:
    if not data.get("path"):
        return []
    says = c.gettext("Is something down right now? Sign in and open a ticket with high priority: those come first.")
    return [Paragraph(says), Button(c.gettext("Open a verified ticket"), data["path_url"])]


def _reply(told: Told, link: str, reader: Reader) -> Words:
    c = reader.c
    state = c.gettext("Ticket %(number)s: %(state)s.") % {
        "number": told.number,
        "state": requesters_word(told.state, c),
    }
    parts: list[Part] = []
    before = ""
    for said in told.said:
        by = one_line(said.by)
        if said.text:
            parts.append(Said("" if by == before else by, said.text))
            before = by
        if said.files:
            names = ", ".join(one_line(name) for name in said.files)
            parts.append(Paragraph(c.gettext("Files, on the page of the ticket: %(names)s") % {"names": names}))
    parts += [Button(c.gettext("Answer on the page of the ticket"), link), Small(state), _alone(c)]
    people = {one_line(said.by) for said in told.said}
    names_one = people if len(people) == 1 else ()
    by = " · ".join(part for part in (*names_one, one_line(told.company)) if part)
    return Words(ticket_subject(told.number, told.subject), parts, by)


def _greeting(told: Told, c: Catalogue) -> str:
    name = one_line(told.requester)
    return c.gettext("Hello %(name)s,") % {"name": name} if name else c.gettext("Hello,")


def _alone(c: Catalogue) -> Small:
    return Small(c.gettext("The link opens this ticket without a sign-in: keep it to yourself."))


def _types(data: Mapping[str, str], c: Catalogue) -> str:
    words = type_words(c)
    return ", ".join(words[one] for one in data.get("types", "").split() if one in words)


def _titled(title: str, data: Mapping[str, str]) -> str:
    company = one_line(data.get("company", ""))
    return f"{title} – {company}" if company else title
