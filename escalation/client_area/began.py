"""When it began: a day, a clock and a zone become one instant, or a question with the instants to choose from. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from escalation.draft import Start
from escalation.facts import Certainty, Question
from escalation.facts.zones import instants

UNSURE = "unsure"
"""The answer of somebody who does not know."""
AHEAD = timedelta(minutes=5)
"""Of our clock, as that of a device may be."""
FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Who types another one has mistyped; at the ends of the calendar no zone can be reckoned with."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`value`: the instant in RFC 3339. `clock`: what a clock showed then, with the zone's own name."""

    value: str
    clock: str
    zone: str


@dataclass(frozen=True, slots=True)
class ClockQuestion:
    """`kind`: twice, never (the clock change) or zone (the device is elsewhere)."""

    kind: str
    asked: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Began:
    start: Start | None
    question: ClockQuestion | None = None
    error: str = ""
    """day, clock or future: what cannot be read."""


def began(day: str, clock: str, zone: str, device: str, pick: str, *, now: datetime, company: ZoneInfo) -> Began:
    """`zone`: empty means nobody chose one, so the company's holds; if the device's says otherwise, it is asked.
    `pick`: the answer to an earlier question."""
    day, clock = day.strip(), clock.strip()
    if not day and not clock:
        return Began(None)
    info = known_zone(zone) or company
    raw = f"{day} {clock} {info.key}".strip()
    try:
        local_day = _day_of(day) if day else now.astimezone(info).date()
    except ValueError:
        return Began(unclear(raw), error="day")
    try:
        local_clock = time.fromisoformat(clock) if clock else None
    except ValueError:
        return Began(unclear(raw), error="clock")
    if local_clock is None or local_clock.tzinfo is not None:
        return Began(unclear(raw), error="clock")
    local = datetime.combine(local_day, local_clock.replace(second=0, microsecond=0))
    if not day and min(instants(local, info), default=now) > now + AHEAD:
        local -= timedelta(days=1)  # a clock alone is the latest such time that has been
    raw = f"{local:%Y-%m-%d %H:%M} {info.key}"
    question = question_of(local, info, None if known_zone(zone) else known_zone(device))
    if question is None:
        (instant,) = instants(local, info)
        if instant > now + AHEAD:
            return Began(unclear(raw), error="future")
        return Began(exact(instant, info, raw))
    chosen = next((choice for choice in question.choices if choice.value == pick), None)
    if chosen is not None:
        instant = datetime.fromisoformat(chosen.value)
        if instant > now + AHEAD:
            return Began(unclear(raw), question, "future")
        return Began(exact(instant, ZoneInfo(chosen.zone), raw))
    if pick == UNSURE:
        return Began(unclear(raw))
    if question.kind == "zone":
        # What holds until somebody answers.
        (instant,) = instants(local, info)
        return Began(exact(instant, info, raw) if instant <= now + AHEAD else unclear(raw), question)
    return Began(unclear(raw), question)


def question_of(local: datetime, info: ZoneInfo, device: ZoneInfo | None = None) -> ClockQuestion | None:
    """None: this local time was exactly once, and the device agrees about it."""
    asked = f"{local:%H:%M}"
    found = instants(local, info)
    if len(found) == 2:
        return ClockQuestion("twice", asked, tuple(choice(instant, info) for instant in sorted(found)))
    if not found:
        return ClockQuestion("never", asked, tuple(choice(instant, info) for instant in _around(local, info)))
    if device is None or device.key == info.key:
        return None
    theirs = instants(local, device)
    if not theirs or found == theirs:
        return None
    return ClockQuestion("zone", asked, (*(choice(one, device) for one in theirs), choice(found[0], info)))


def question_in(raw: str) -> ClockQuestion | None:
    """Of a time as it was written by `began`, while it is unclear."""
    moment, _, zone = raw.rpartition(" ")
    info = known_zone(zone)
    try:
        local = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return question_of(local, info) if info is not None and local.tzinfo is None else None


def choice(instant: datetime, info: ZoneInfo) -> Choice:
    shown = instant.astimezone(info)
    return Choice(instant.isoformat(), f"{shown:%H:%M} {shown.tzname()}", info.key)


def exact(instant: datetime, info: ZoneInfo, raw: str) -> Start:
    return Start(instant, raw, instant.astimezone(info).tzname() or info.key, Certainty.EXACT)


def unclear(raw: str) -> Start:
    return Start(None, raw, "", Certainty.UNCLEAR, Question.WHICH_TIME)


def known_zone(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in _ZONES else None


def _day_of(text: str) -> date:
    day = date.fromisoformat(text)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(text)
    return day


def _around(local: datetime, info: ZoneInfo) -> list[datetime]:
    """A clock that had not been moved yet, and one that was moved too early: an hour apart."""
    return sorted({local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1)})


_ZONES = frozenset(available_timezones())
