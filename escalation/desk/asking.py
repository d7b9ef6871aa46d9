"""Messages that may ask for an action of owners, with how surely they are the requester's. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chat.strings import Catalogue
from escalation.ownership import level_of
from escalation.store import OperatorsTicket

LABEL = 60


@dataclass(frozen=True, slots=True)
class Asking:
    seq: int
    level: int
    at: datetime
    label: str


def asking_of(found: OperatorsTicket, c: Catalogue) -> Sequence[Asking]:
    """Newest first."""
    return [
        Asking(
            message.seq,
            level_of(message),
            message.at,
            c.gettext("Transcript") if message.kind == "transcript" else _short(message.text),
        )
        for message in reversed(found.messages)
        if message.kind == "transcript" or (message.kind == "message" and message.author_kind == "requester")
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LABEL else line[: LABEL - 1].rstrip() + "…"
