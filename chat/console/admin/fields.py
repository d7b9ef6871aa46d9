"""What was written into the forms of administrators, read and checked. Pure: errors are words of a catalogue."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from chat.strings import Catalogue

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


class Fields:
    """Reads one form; `errors` says field by field what has to be written otherwise."""

    def __init__(self, form: Mapping[str, str], c: Catalogue) -> None:
        self._form = form
        self._c = c
        self.errors: dict[str, str] = {}

    def line(self, name: str, longest: int, *, needed: bool = True) -> str:
        text = " ".join(self._form.get(name, "").split())
        if needed and not text:
            self.errors[name] = self._c.gettext("Write something here.")
        elif len(text) > longest:
            self.errors[name] = self._c.gettext("At most %(number)s characters.") % {"number": longest}
        return text

    def text(self, name: str, longest: int, *, needed: bool = True) -> str:
        text = self._form.get(name, "").replace("\r\n", "\n").strip()
        if needed and not text:
            self.errors[name] = self._c.gettext("Write something here.")
        elif len(text) > longest:
            self.errors[name] = self._c.gettext("At most %(number)s characters.") % {"number": longest}
        return text

    def number(self, name: str, least: int, most: int) -> int:
        raw = self._form.get(name, "").strip()
        if not (raw.isascii() and raw.isdecimal() and len(raw) < 10 and least <= int(raw) <= most):
            self.errors[name] = self._c.gettext("Write a number from %(least)s to %(most)s.") % {
                "least": least,
                "most": most,
            }
            return least
        return int(raw)

    def slug(self, name: str) -> str:
        slug = self._form.get(name, "").strip().lower()
        if not SLUG.fullmatch(slug):
            self.errors[name] = self._c.gettext(
                "Small letters without accents, digits and hyphens, for example “sales”."
            )
        return slug

    def choice(self, name: str, among: Sequence[str]) -> str:
        chosen = self._form.get(name, "")
        if chosen not in among:
            self.errors[name] = self._c.gettext("Choose one of the list.")
            return among[0] if among else ""
        return chosen

    def colour(self, name: str) -> str:
        colour = self._form.get(name, "").strip()
        if colour and not COLOUR.fullmatch(colour):
            self.errors[name] = self._c.gettext("Write a colour as #1A2B3C, or nothing.")
        return colour

    def web_address(self, name: str) -> str:
        """https, http, or a path of the own host; or nothing."""
        address = self._form.get(name, "").strip()
        parts = urlsplit(address) if _splits(address) else None
        good = parts is not None and (
            (parts.scheme in ("http", "https") and bool(parts.netloc)) or address.startswith("/")
        )
        if address and (not good or address.startswith("//") or len(address) > 500):
            self.errors[name] = self._c.gettext("Write an address that begins with https://, or nothing.")
        return address

    def origins(self, name: str) -> list[str]:
        """One in a line: scheme, host and port and no more."""
        found: list[str] = []
        for line in self._form.get(name, "").split():
            address = line.rstrip("/")
            parts = urlsplit(address) if _splits(address) else None
            if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
                bad = True
            else:
                bad = bool(parts.path or parts.query or parts.fragment or parts.username or "@" in parts.netloc)
            if bad or len(address) > 200:
                self.errors[name] = self._c.gettext("“%(text)s” is no origin. Write https://www.example.com.") % {
                    "text": line[:80]
                }
            elif address.lower() not in found:
                found.append(address.lower())
        if not found and name not in self.errors:
            self.errors[name] = self._c.gettext("Write at least one origin, for example https://www.example.com.")
        return found


def _splits(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False
