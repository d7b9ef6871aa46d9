"""Order numbers: `#123456`, or a word for an order followed by four to nine digits."""

import re
from collections.abc import Iterator

from escalation.facts.fact import Fact, Kind

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]{1,2000}", re.IGNORECASE)
_TAG = re.compile(r"\[\s?(?:[A-Z]{1,4}-[0-9]{2}-[0-9]{1,12}|#[0-9]{1,12})\s?\]", re.IGNORECASE)
# A number that goes on is a date, an amount or a version, not an order.
_END = r"(?!\w|[.,:/-][0-9]|\s?(?:€|eur\b|\$|usd\b|%))"
_HASH = rf"(?<![\w#&/=.])#(?P<hash>[0-9]{{4,9}}){_END}"
_WORD = (
    r"(?<!\w)(?:naro[čc]il(?:[oaiue]|om|ih|oma)?|orders?)(?!\w)"
    r"[\s:]{0,3}(?:(?:no|nr|number|id|[šs]t|[šs]tevilk[aeio])(?!\w)\.?)?[\s:#-]{0,3}"
    rf"(?<![0-9])(?P<word>[0-9]{{4,9}}){_END}"
)
_ORDER = re.compile(f"{_HASH}|{_WORD}", re.IGNORECASE)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def find_orders(text: str) -> Iterator[Fact]:
    """In order of appearance, each number once."""
    seen: set[str] = set()
    bare = _TAG.sub(_blank, _URL.sub(_blank, text))
    for match in _ORDER.finditer(bare):
        group = "hash" if match.group("hash") else "word"
        digits = match.group(group)
        if digits not in seen:
            seen.add(digits)
            start, end = match.span(group)
            if bare[start - 1 : start] == "#":
                start -= 1
            yield Fact(Kind.ORDER, digits, start, end, text[start:end])
