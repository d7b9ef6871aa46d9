"""One fact: what it is, where it stands in the text, and how sure it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    ORDER = "order"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    TIME = "time"


class Certainty(StrEnum):
    EXACT = "exact"
    ABOUT = "about"
    UNCLEAR = "unclear"


class Question(StrEnum):
    """What a person has to be asked about a time. It never stops a ticket."""

    NONE = ""
    HOUR_TWICE = "hour_twice"
    """The clocks went back: this local time came twice."""
    HOUR_NEVER = "hour_never"
    """The clocks went forward: this local time did not exist."""
    WHICH_ZONE = "which_zone"
    """The abbreviation has several meanings."""
    WHICH_TIME = "which_time"
    """A day or a part of it, without a clock."""
    DID_YOU_MEAN = "did_you_mean"
    """A winter name in summer, or the reverse; `hint` has the other name."""


@dataclass(frozen=True, slots=True)
class Fact:
    """`value` is normalised: digits of the order, the address as `ipaddress` writes it, RFC 3339 of the instant."""

    kind: Kind
    value: str
    start: int
    end: int
    text: str
    certainty: Certainty = Certainty.EXACT
    public: bool = True
    """Of an address: reachable from the Internet. The others are shown grey, never dropped."""
    instant: datetime | None = None
    zone: str = ""
    """Of a time: the zone it was read in, as people write it (CET, UTC+2)."""
    question: Question = Question.NONE
    hint: str = ""
