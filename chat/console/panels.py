"""What other packages add to the console. The console knows addresses and words, never who answers them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup

from chat.people.models import Operator

About = Callable[[UUID, Operator, str], Awaitable[Markup]]
"""(conversation, who reads, locale) -> what stands in the context pane below the person; empty where nothing is known
for sure."""

Alarms = Callable[[Operator, str], Awaitable[Markup]]
"""(operator, locale) -> what stands above the inbox while something runs out; a module of its own keeps it current."""


@dataclass(frozen=True)
class ConsoleModule:
    """A script of another package in the console's page: its static file, its sheet, and the group of its strings."""

    script: str
    style: str
    strings: str


@dataclass(frozen=True)
class ConsoleWarning:
    """A word above the inbox, in the operator's language; with `url`, where more of it stands."""

    text: str
    url: str = ""


Warnings = Callable[[Operator, str], Awaitable[Sequence[ConsoleWarning]]]
"""(operator, locale) -> what this operator has to know now."""


@dataclass(frozen=True)
class ConsolePanel:
    """A dialog of a conversation, opened by a letter or its button.

    `url` holds `{id}`. It answers GET with a form as HTML; the form is posted back by script, and an answer with
    `X-Nightdesk-Done: 1` closes the dialog, any other is shown in it. `label` is a msgid.
    """

    key: str
    label: str
    url: str
    icon: str


@dataclass(frozen=True)
class RailLink:
    """An entry of the rail, reached also by `keys`: `g` and a letter. `label` is a msgid."""

    label: str
    url: str
    icon: str
    keys: str = ""
