"""Durations back from the message: "pred 2 urama", "for 3 h", "an hour ago". They give an instant marked *about*."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from escalation.facts.fact import Certainty, Fact, Kind

_NUMBER = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "eno": 1, "eni": 1, "enim": 1, "dve": 2, "dva": 2, "dvema": 2,
    "tri": 3, "tremi": 3, "štiri": 4, "four": 4, "five": 5, "pet": 5, "pol": 0.5, "half an": 0.5, "half a": 0.5,
}  # fmt: skip
_AMOUNT = (
    r"(?P<amount>[0-9]{1,3}(?:[.,][0-9])?|half an?|an?|one|two|three|four|five"
    r"|eno|eni|enim|dvema|dve|dva|tremi|tri|štiri|pet|pol)"
)
_UNIT = (
    r"(?P<unit>minut(?:es?|ami|ama|o|i|e|a)?|mins?|hours?|hrs?|h|days?"
    r"|ur(?:ami|ama|o|i|e|a)?|dnev(?:i|oma|om|ov)?|dni|dan)"
)
_AGO = re.compile(rf"(?<![\w.,:]){_AMOUNT}\s?{_UNIT}(?!\w)\sago(?!\w)", re.IGNORECASE)
_BACK = re.compile(
    rf"(?<!\w)(?:pred|že|ze|zadnj(?:ih|i|e|o)|for(?:\sthe\s(?:last|past))?|in the last)\s"
    rf"(?:(?:približno|okoli|about|around|cca\.?|kakšn[oie])\s)?{_AMOUNT}\s?{_UNIT}(?!\w)",
    re.IGNORECASE,
)
_LONGEST = timedelta(days=60)


def find_durations(text: str, at: datetime) -> Iterator[Fact]:
    for pattern in (_AGO, _BACK):
        for match in pattern.finditer(text):
            span = _span(match)
            if span is not None and timedelta(0) < span <= _LONGEST:
                instant = (at.astimezone(UTC) - span).replace(second=0, microsecond=0)
                value = instant.isoformat().replace("+00:00", "Z")
                yield Fact(Kind.TIME, value, *match.span(), match.group(), Certainty.ABOUT, instant=instant, zone="UTC")


def _span(match: re.Match[str]) -> timedelta | None:
    raw, unit = match.group("amount").lower(), match.group("unit").lower()
    amount = _NUMBER.get(raw)
    if amount is None:
        amount = float(raw.replace(",", "."))
    if unit.startswith("m"):
        return timedelta(minutes=amount)
    return timedelta(days=amount) if unit.startswith("d") else timedelta(hours=amount)
