"""One cell -> one value. Each reader raises CellRefused with the reason, in words for the person who wrote the file."""

import re
import unicodedata
from functools import lru_cache
from zoneinfo import ZoneInfo

from chat.public import Refusal, checked_address
from escalation.customers.ranges import IpRange, RangeRefused, parse_range, split_ranges

YES = frozenset({"yes", "true", "1", "da"})
NO = frozenset({"", "no", "false", "0", "ne"})
RIGHTS = ("tickets", "billing")
KINDS = ("billing", "support", "abuse", "service")
_ORDER = re.compile(r"#?([0-9]{1,20})")
_APART = re.compile(r"[,;|]")


class CellRefused(ValueError):
    """The cell cannot be taken; the message says why."""


def words(text: str, longest: int) -> str:
    if len(text) > longest:
        raise CellRefused(f"longer than {longest} characters")
    if not text.isprintable() and any(unicodedata.category(char) == "Cc" for char in text):
        raise CellRefused("there is a line break or another control character in it")
    return text


def key(text: str, longest: int) -> str:
    if not text:
        raise CellRefused("empty, and it is what tells the rows apart")
    return words(text, longest)


def name(text: str, longest: int) -> str:
    if not text:
        raise CellRefused("empty")
    return words(text, longest)


def order_no(text: str) -> str:
    """Digits only; the `#` is how people write it."""
    if not text:
        return ""
    found = _ORDER.fullmatch(text)
    if found is None:
        raise CellRefused(f"{text[:40]} is no order number: write digits, with or without #")
    return found[1]


def tags(text: str) -> list[str]:
    """In the order written, each once."""
    return list(dict.fromkeys(words(part.strip(), 40) for part in _APART.split(text) if part.strip()))


def ranges(text: str) -> frozenset[IpRange]:
    try:
        return frozenset(parse_range(part) for part in split_ranges(text))
    except RangeRefused as refused:
        raise CellRefused(str(refused)) from None


def yes(text: str) -> bool:
    plain = text.casefold()
    if plain in YES:
        return True
    if plain in NO:
        return False
    raise CellRefused(f"{text[:40]} is neither yes nor no")


def rights(text: str) -> frozenset[str]:
    found = frozenset(part for part in re.split(r"[\s,;|]+", text.casefold()) if part)
    if unknown := sorted(found - set(RIGHTS)):
        raise CellRefused(f"{unknown[0][:40]} is no right: use {' and '.join(RIGHTS)}")
    return found


def kind(text: str) -> str:
    plain = text.casefold()
    if plain not in KINDS:
        raise CellRefused(f"{text[:40] or 'nothing'} is no kind of notification: use {', '.join(KINDS)}")
    return plain


def language(text: str, known: tuple[str, ...]) -> str:
    plain = text.casefold()
    if plain and plain not in known:
        raise CellRefused(f"{text[:40]} is not offered: use {' or '.join(known)}")
    return plain


@lru_cache(512)
def zone(text: str) -> str:
    if text:
        try:
            ZoneInfo(text)
        except (KeyError, ValueError, OSError):
            raise CellRefused(f"{text[:40]} is no time zone: write it as Europe/Ljubljana") from None
    return text


def email(text: str) -> tuple[str, str]:
    """(normalised, as written). Empty gives two empty ones."""
    if not text:
        return "", ""
    try:
        normal = checked_address(text)
    except Refusal:
        raise CellRefused(f"{text[:80]} is no e-mail address") from None
    return words(normal, 254).lower(), words(text, 254)
