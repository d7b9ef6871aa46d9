"""Facts found in text: order numbers, addresses, times. Pure: text and the time of the message in, facts out.

They are suggestions that a person confirms; nothing here asks whether an order or an address exists. Every pattern
has bounded repeats only, so the time is linear in the length of the text.
The README of `escalation` names the surprising rules.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from escalation.facts.addresses import find_addresses
from escalation.facts.fact import Certainty, Fact, Kind, Question
from escalation.facts.orders import find_orders
from escalation.facts.times import find_times

__all__ = ["Certainty", "Fact", "Kind", "Question", "find_facts"]

TEXT_LIMIT = 20_000
"""Twice the longest message; what is pasted beyond it is a log, not a statement."""


def find_facts(text: str, at: datetime, zone: ZoneInfo) -> tuple[Fact, ...]:
    """All facts of `text`, in order of appearance. `at` is aware; `zone` counts for times written without one."""
    return tuple(sorted(_found(text[:TEXT_LIMIT], at, zone), key=lambda fact: (fact.start, fact.end)))


def _found(text: str, at: datetime, zone: ZoneInfo) -> Iterator[Fact]:
    yield from find_orders(text)
    yield from find_addresses(text)
    yield from find_times(text, at, zone)
