"""The ticket card in the conversation: what both sides see of a ticket there."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from chat.dates import day_text
from chat.public import CardDraft, CardDraftLink
from chat.strings import Catalogue, Strings
from escalation.directory import named
from escalation.models import Ticket
from escalation.states import DONE, HIGH, TONES, State, requesters_word


def card_of(
    ticket: Ticket, department: Mapping[str, str], link_id: UUID, strings: Strings, now: datetime, zone: ZoneInfo
) -> CardDraft:
    """In all languages at once: the reader's is picked when it is shown. `zone` is the company's, where the
    requester's is not known."""
    catalogues = {locale: strings.catalogue(locale) for locale in strings.locales}
    facts: dict[str, list[str]] = {}
    for locale, c in catalogues.items():
        facts[locale] = [named(department, locale)]
        if ticket.priority == HIGH:
            facts[locale].append(c.gettext("High priority"))
    return CardDraft(
        key=f"ticket:{ticket.id}",
        kind="ticket",
        number=ticket.number,
        title=ticket.subject,
        state={locale: requesters_word(ticket.state, c) for locale, c in catalogues.items()},
        tone=TONES[State(ticket.state)],
        facts=facts,
        due_at=ticket.due_at,
        due_label={locale: _due_label(ticket, c, now, zone) for locale, c in catalogues.items()}
        if ticket.due_at
        else {},
        links=[
            CardDraftLink(
                label={locale: c.gettext("View ticket") for locale, c in catalogues.items()},
                path=f"/t/{link_id}",
                signed=True,
                audience="visitor",
            ),
            CardDraftLink(
                label={locale: c.gettext("View ticket") for locale, c in catalogues.items()},
                path=f"/desk/tickets/{ticket.number}",
                audience="operator",
            ),
            *_further(ticket, catalogues),
        ],
    )


def _further(ticket: Ticket, catalogues: Mapping[str, Catalogue]) -> list[CardDraftLink]:
    """Of a closed one that never opens again; for who can sign in. Others just write."""
    if ticket.closed_reason != DONE or ticket.account_id is None:
        return []
    return [
        CardDraftLink(
            label={locale: c.gettext("Add a ticket that follows it") for locale, c in catalogues.items()},
            path=f"/client/tickets/new?follows={ticket.number}",
            audience="visitor",
        )
    ]


def _due_label(ticket: Ticket, c: Catalogue, now: datetime, zone: ZoneInfo) -> str:
    """The card shows the time of the due itself, so the day stands here where it is not today."""
    word = promise_word(ticket.due_metric, c)
    if ticket.due_at is None:
        return word
    return f"{word} {day_text(ticket.due_at, now, _zone_of(ticket) or zone, c.locale)}".rstrip()


def _zone_of(ticket: Ticket) -> ZoneInfo | None:
    """What the requester's browser said, which may be anything."""
    try:
        return ZoneInfo(str(ticket.environment.get("time_zone") or ""))
    except (KeyError, ValueError, OSError):
        return None


def promise_word(metric: str, c: Catalogue) -> str:
    match metric:
        case "next_reply":
            return c.gettext("Reply by")
        case "update_by":
            return c.gettext("Next update by")
        case _:
            return c.gettext("First reply by")


def digest_of(card: CardDraft) -> str:
    return hashlib.sha256(repr(card).encode()).hexdigest()
