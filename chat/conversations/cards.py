"""Cards: blocks in a conversation that others fill (a ticket, a form) and revise. Chat knows only their shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chat.conversations.entry import SYSTEM, Author, EntryDraft
from chat.conversations.presenter import stamp


@dataclass(frozen=True, slots=True)
class CardDraftLink:
    label: Mapping[str, str]
    path: str
    signed: bool = False
    """The path gets a signature when it is presented."""
    audience: str = ""
    """visitor or operator; empty: both"""


@dataclass(frozen=True, slots=True)
class CardDraft:
    """Texts are per locale. Appending the same `key` again revises the card where it stands."""

    key: str
    kind: str
    number: str
    title: str | Mapping[str, str]
    """Per locale, or words of a person."""
    state: Mapping[str, str]
    tone: str = ""
    facts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    due_at: datetime | None = None
    due_label: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[CardDraftLink] = ()

    def entry(self, revision: int, author: Author = SYSTEM) -> EntryDraft:
        return EntryDraft("card", author, data=self._data(revision), ref=f"{self.ref_prefix}{revision}")

    @property
    def ref_prefix(self) -> str:
        return f"card:{self.key}:"

    def _data(self, revision: int) -> dict[str, Any]:
        links: list[dict[str, Any]] = []
        for link in self.links:
            shape: dict[str, Any] = {"label": dict(link.label), "path": link.path, "signed": link.signed}
            if link.audience:
                shape["audience"] = link.audience
            links.append(shape)
        return {
            "key": self.key,
            "revision": revision,
            "kind": self.kind,
            "number": self.number,
            "title": self.title if isinstance(self.title, str) else dict(self.title),
            "state": dict(self.state),
            "tone": self.tone,
            "facts": {locale: list(facts) for locale, facts in self.facts.items()},
            "due_at": stamp(self.due_at),
            "due_label": dict(self.due_label),
            "links": links,
        }
