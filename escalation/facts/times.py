"""When it began: clock times with or without a date, durations, day words; English and Slovenian."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from escalation.facts.dates import DATE_AFTER, DATE_BEFORE, DAY_ALONE, date_of
from escalation.facts.durations import find_durations
from escalation.facts.fact import Certainty, Fact, Kind, Question
from escalation.facts.zones import ZONE, Reading, Zone, instants, read, zone_of

_CLOCK = re.compile(
    r"(?<![\w:.,/+−-])(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T)?"
    r"(?:(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::[0-5][0-9](?:[.,][0-9]{1,6})?)?(?:\s?(?P<half>[ap])\.?m\b\.?)?"
    r"|(?P<hour_alone>1[0-2]|0?[1-9])\s?(?P<half_alone>[ap])\.?m\b"
    r"|(?<=\bo[bd] )(?P<spoken>[01]?[0-9]|2[0-3])(?:\.(?P<spoken_minute>[0-5][0-9])|\.?\s?(?:uri|ure|h)|-ih)(?!\w))"
    r"(?!:|[.,][0-9]|[A-YŠČŽa-yščž_0-9])",
    re.IGNORECASE,
)
# A time to come, or an end, is not when it began.
_NOT_A_START = re.compile(
    r"(?<!\w)(?:do|until|till|by|before|pred|tomorrow|jutri)(?:\s(?:at|ob))?\s{1,2}$", re.IGNORECASE
)
_TOMORROW_AFTER = re.compile(r"\s?(?:tomorrow|jutri)(?!\w)", re.IGNORECASE)
_ABOUT_BEFORE = re.compile(
    r"(?<!\w)(?:about|around|approx\.?|okoli|okrog|približno|cca\.?|nekje)\s{1,2}$", re.IGNORECASE
)
_LOOK = 48


def find_times(text: str, at: datetime, zone: ZoneInfo) -> Iterator[Fact]:
    covered: list[tuple[int, int]] = []
    for match in _CLOCK.finditer(text):
        fact = _clock(match, text, at, zone)
        if fact is not None:
            covered.append((fact.start, fact.end))
            yield fact
    for fact in find_durations(text, at):
        covered.append((fact.start, fact.end))
        yield fact
    busy = bytearray(len(text))
    for start, end in covered:
        busy[start:end] = b"\x01" * (end - start)
    for match in DAY_ALONE.finditer(text):
        if not any(busy[match.start() : match.end()]):
            yield Fact(Kind.TIME, "", *match.span(), match.group(), Certainty.UNCLEAR, question=Question.WHICH_TIME)


def _clock(match: re.Match[str], text: str, at: datetime, company: ZoneInfo) -> Fact | None:
    start, end = match.span()
    before = text[max(0, start - _LOOK) : start]
    if _NOT_A_START.search(before) or _TOMORROW_AFTER.match(text, end):
        return None
    hour, minute = _hour_minute(match)
    zone_match = ZONE.match(text, end)
    zone = zone_of(zone_match) if zone_match else None
    if zone_match and zone:
        end = zone_match.end()
    zone = zone or Zone(company)
    about = _ABOUT_BEFORE.search(before)
    day, start, end = _day(match, text, start, end, at.astimezone(zone.info).date())
    reading = read(datetime.combine(day, time(hour, minute)), zone) if day else _latest(hour, minute, zone, at)
    certainty = Certainty.ABOUT if about and reading.certainty is Certainty.EXACT else reading.certainty
    value = reading.instant.isoformat().replace("+00:00", "Z") if reading.instant else ""
    return Fact(
        Kind.TIME, value, start, end, text[start:end], certainty,
        instant=reading.instant, zone=reading.zone, question=reading.question, hint=reading.hint,
    )  # fmt: skip


def _hour_minute(match: re.Match[str]) -> tuple[int, int]:
    hour = int(next(found for found in match.group("hour", "hour_alone", "spoken") if found))
    minute = int(match.group("minute") or match.group("spoken_minute") or 0)
    half = (match.group("half") or match.group("half_alone") or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour, minute


def _day(match: re.Match[str], text: str, start: int, end: int, today: date) -> tuple[date | None, int, int]:
    """The date beside the clock, and the span that covers both."""
    iso = match.group()[:11]
    if iso.endswith(("T", "t")):
        return _parsed_iso(iso[:10]), start, end
    window = max(0, start - _LOOK)
    if (left := DATE_BEFORE.search(text[window:start])) and (day := date_of(left, today)):
        return day, window + left.start(), end
    if (right := DATE_AFTER.match(text, end)) and (day := date_of(right, today)):
        return day, start, right.end()
    return None, start, end


def _parsed_iso(raw: str) -> date | None:
    try:
        return date.fromisoformat(raw)
    except ValueError:
        return None


def _latest(hour: int, minute: int, zone: Zone, at: datetime) -> Reading:
    """The latest such time that is not after the message."""
    now = at.astimezone(zone.info).replace(tzinfo=None, fold=0)
    local = datetime.combine(now, time(hour, minute))
    first = min(instants(local, zone.info), default=None)
    if first > at if first else local > now:
        local -= timedelta(days=1)
    return read(local, zone)
