"""Stored entries -> frames: the one bridge between tables and the wire. Rendered once per audience, not per reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from chat.conversations.entry import StoredEntry
from chat.conversations.models import PUBLIC
from chat.ids import text_of
from chat.links import Links
from chat.protocol import frames


class Audience(NamedTuple):
    role: str
    """visitor or operator"""
    locale: str


Html = Callable[[frames.Entry, str], str]
"""entry, locale -> the partial that consoles show"""


@lru_cache(maxsize=256)
def stamp(at: datetime | None) -> str:
    """RFC 3339 in UTC with milliseconds; empty for none."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z" if at else ""


class Presenter:
    def __init__(self, links: Links, html: Html) -> None:
        self._links = links
        self._html = html

    def present(self, entry: StoredEntry) -> "PresentedEntry":
        return PresentedEntry(entry, self)

    def entry(self, stored: StoredEntry, audience: Audience, *, with_ref: bool = False) -> frames.Entry:
        """The entry as this audience may see it. Events keep only what their readers need."""
        is_plain = stored.kind == "message" and not stored.data
        entry = (self._said if is_plain else self._told)(stored, audience, with_ref)
        if audience.role == "operator":
            # Nobody has seen it yet, so it may be filled in; a copy takes as long as a new one.
            msgspec.structs.force_setattr(entry, "html", self._html(entry, audience.locale))
        return entry

    def _said(self, stored: StoredEntry, audience: Audience, with_ref: bool) -> frames.Entry:
        """As `_told`, for plain words: nearly all there is."""
        author = stored.author
        if author.id is None or (author.kind == "operator" and audience.role == "visitor"):
            person = frames.Person(author.kind, author.name)
        else:
            person = frames.Person(author.kind, author.name, text_of(author.id))
        ref = (stored.ref or "") if with_ref else ""
        return frames.Entry(stored.seq, "message", stamp(stored.at), person, stored.text, ref, after=stored.after_seq)

    def _told(self, stored: StoredEntry, audience: Audience, with_ref: bool) -> frames.Entry:
        data = dict(stored.data)
        name = str(data.pop("event", ""))
        files = msgspec.convert(data.pop("files", []), list[frames.Attachment])
        card = self._card(data, audience) if stored.kind == "card" else None
        author = frames.Person(
            stored.author.kind, stored.author.name, text_of(stored.author.id) if stored.author.id else ""
        )
        if audience.role == "visitor":
            data = {key: value for key, value in data.items() if key in _VISITOR_DATA}
            if stored.author.kind == "operator":
                author = frames.Person("operator", stored.author.name)
        return frames.Entry(
            seq=stored.seq,
            kind=stored.kind,
            at=stamp(stored.at),
            author=author,
            text=stored.text,
            ref=(stored.ref or "") if with_ref else "",
            event=name,
            data={} if stored.kind == "card" else data,
            card=card,
            after=stored.after_seq,
            files=files,
        )

    def _card(self, data: dict[str, Any], audience: Audience) -> frames.Card:
        locale, title = audience.locale, data["title"]
        return frames.Card(
            key=data["key"],
            revision=data["revision"],
            kind=data["kind"],
            title=title if isinstance(title, str) else _in(locale, title, ""),
            number=data["number"],
            state=_in(locale, data["state"], ""),
            tone=data["tone"],
            facts=list(_in(locale, data["facts"], [])),
            due_at=data["due_at"],
            due_label=_in(locale, data["due_label"], ""),
            links=[
                frames.CardLink(
                    label=_in(locale, link["label"], ""),
                    url=self._url(link, audience),
                )
                for link in data["links"]
                if link.get("audience", audience.role) == audience.role
            ],
        )

    def _url(self, link: Mapping[str, Any], audience: Audience) -> str:
        path: str = link["path"]
        if link["signed"]:
            return self._links.sign(path)
        # The panel stands on the page of another site.
        is_elsewhere = audience.role == "visitor" and path.startswith("/")
        return self._links.address(path) if is_elsewhere else path


_VISITOR_DATA = frozenset({"operator", "department", "by", "score", "number"})


def _in(locale: str, texts: Any, missing: Any) -> Any:
    return texts.get(locale) or next(iter(texts.values()), missing)


@dataclass(slots=True)
class PresentedEntry:
    """A committed entry that remembers how it was rendered for each audience."""

    stored: StoredEntry
    presenter: Presenter
    _texts: dict[tuple[Audience, bool], str] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        return self.stored.seq

    @property
    def author_id(self) -> UUID | None:
        return self.stored.author.id

    def frame_for(self, audience: Audience, *, with_ref: bool) -> str:
        key = (audience, with_ref)
        text = self._texts.get(key)
        if text is None:
            entry = self.presenter.entry(self.stored, audience, with_ref=with_ref)
            conversation = text_of(self.stored.conversation_id)
            frame = (
                frames.Said(conversation, [entry])
                if self.stored.stream == PUBLIC
                else frames.Noted(conversation, [entry])
            )
            text = self._texts[key] = frames.encode(frame)
        return text
