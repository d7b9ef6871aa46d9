"""Rendering for the operators' socket: the same partials that the page uses. Pure: no SQL, no clock."""

from datetime import datetime
from typing import Any

from chat.console.faces import ground, initials
from chat.console.rows import ConversationRow
from chat.pages import Pages
from chat.protocol import frames

TEMPLATES = {"message": "_message.html", "note": "_note.html", "card": "_card.html", "event": "_event.html"}


class Stream:
    """One text per thing and language; never per operator. What depends on the reader is marked by attributes
    (`data-author`, `data-operator`) and decided in the browser."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def entry_html(self, entry: frames.Entry, locale: str) -> str:
        template = TEMPLATES.get(entry.kind, "_event.html")
        due_at = parsed(entry.card.due_at) if entry.card else None
        return self._render(template, locale, entry=entry, at=parsed(entry.at), due_at=due_at)

    def row_html(self, row: ConversationRow, locale: str) -> str:
        return self._render("_conversation_row.html", locale, row=row)

    def offer_html(self, row: ConversationRow, locale: str, seconds: float) -> str:
        return self._render("_offer.html", locale, row=row, seconds=max(1, round(seconds)))

    def _render(self, template: str, locale: str, **context: Any) -> str:
        return self._pages.partial(f"console/{template}", locale, initials=initials, ground=ground, **context)


def parsed(stamp: str) -> datetime | None:
    """The wire's RFC 3339 -> aware datetime; None for none."""
    return datetime.fromisoformat(stamp) if stamp else None
