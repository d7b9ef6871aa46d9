"""Zones as people write them, and a local time resolved to instants, with both sides of each clock change.

Abbreviations are fixed offsets: who writes CET in July either means it or means CEST, and is asked.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from escalation.facts.fact import Certainty, Question

_HOURS: dict[str, float] = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "SEČ": 1, "SEPČ": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "TRT": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9,
    "AEST": 10, "AEDT": 11,
}  # fmt: skip
_SEVERAL_MEANINGS = frozenset({"IST", "CST", "BST"})
_FAMILY = {
    "CET": "Europe/Ljubljana", "CEST": "Europe/Ljubljana", "EET": "Europe/Helsinki", "EEST": "Europe/Helsinki",
    "WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "EST": "America/New_York", "EDT": "America/New_York",
    "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
}  # fmt: skip
_NAMES = "|".join(sorted([*_HOURS, *_SEVERAL_MEANINGS], key=len, reverse=True))
ZONE = re.compile(
    rf"\s?\(?(?:(?:UTC|GMT)?(?P<sign>[+−-])(?P<hours>[0-9]{{1,2}})(?::?(?P<minutes>[0-9]{{2}}))?(?![0-9:])"
    rf"|(?P<name>{_NAMES})(?!\w)|(?P<place>[A-Z][a-z]{{2,11}}/[A-Z][A-Za-z_]{{2,20}})(?![\w/]))\)?"
)


@dataclass(frozen=True, slots=True)
class Zone:
    """How a written time is read. `several` = the name has more than one meaning: nobody may guess."""

    info: tzinfo
    label: str = ""
    several: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    instant: datetime | None
    certainty: Certainty
    question: Question = Question.NONE
    zone: str = ""
    hint: str = ""


def zone_of(match: re.Match[str]) -> Zone | None:
    """The zone a match of `ZONE` means; None where it only looked like one (`+99:00`)."""
    name, place = match.group("name"), match.group("place")
    if name in _SEVERAL_MEANINGS:
        return Zone(UTC, name, several=True)
    if name:
        return Zone(timezone(timedelta(hours=_HOURS[name])), "UTC" if name == "Z" else name)
    if place:
        return Zone(ZoneInfo(place)) if place in _places() else None
    hours, minutes = int(match.group("hours")), int(match.group("minutes") or 0)
    if hours > 14 or minutes > 59:
        return None
    negative = match.group("sign") != "+"
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if negative else 1)
    tail = f":{minutes:02}" if minutes else ""
    return Zone(timezone(offset), f"UTC{'-' if negative else '+'}{hours}{tail}")


def _places() -> frozenset[str]:
    if not _known_places:
        _known_places.update(available_timezones())
    return frozenset(_known_places)


_known_places: set[str] = set()


def instants(local: datetime, info: tzinfo) -> list[datetime]:
    """The instants at which a clock in `info` showed `local` (naive): one, two in autumn's hour, none in spring's."""
    found: list[datetime] = []
    for fold in (0, 1):
        instant = local.replace(tzinfo=info, fold=fold).astimezone(UTC)
        if instant.astimezone(info).replace(tzinfo=None, fold=0) == local and instant not in found:
            found.append(instant)
    return found


def read(local: datetime, zone: Zone) -> Reading:
    """`local` is naive."""
    if zone.several:
        return Reading(None, Certainty.UNCLEAR, Question.WHICH_ZONE, zone.label)
    found = instants(local, zone.info)
    if len(found) != 1:
        question = Question.HOUR_TWICE if found else Question.HOUR_NEVER
        return Reading(None, Certainty.UNCLEAR, question, zone.label)
    instant = found[0]
    # Babel's Slovenian data prints an offset instead of CET, so the name comes from the zone itself.
    label = zone.label or instant.astimezone(zone.info).tzname() or ""
    family = _FAMILY.get(zone.label)
    usual = instant.astimezone(ZoneInfo(family)).tzname() if family else label
    if usual and usual != label:
        return Reading(instant, Certainty.EXACT, Question.DID_YOU_MEAN, label, usual)
    return Reading(instant, Certainty.EXACT, zone=label)
