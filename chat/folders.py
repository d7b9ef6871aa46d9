"""Where the files of the three packages lie: static ones, templates, strings."""

from collections.abc import Sequence
from pathlib import Path

import chat
import escalation
import widget
from chat.strings import Strings

CHAT = Path(chat.__file__).parent
WIDGET = Path(widget.__file__).parent
ESCALATION = Path(escalation.__file__).parent
STATIC = {
    "shared": CHAT / "static",
    "console": CHAT / "console" / "static",
    "widget": WIDGET / "static",
    "files": CHAT / "files" / "static",
    "late": WIDGET / "late" / "static",
    "escalation": ESCALATION / "desk" / "static",
}
TEMPLATES = {
    "console": CHAT / "console" / "templates",
    "widget": WIDGET / "templates",
    "desk": ESCALATION / "desk" / "templates",
    "client": ESCALATION / "client_area" / "templates",
    "mail": ESCALATION / "mail" / "templates",
}


def make_strings(locales: Sequence[str]) -> Strings:
    folders = [CHAT / "strings", WIDGET / "strings", ESCALATION / "strings"]
    return Strings.load(folders, locales)
