"""Translations for the panel without their source text, which its modules have already.

Each stands at the line number that its source text adds up to, in a text of so many lines that no two meet.
"""

from collections.abc import Collection
from functools import lru_cache
from itertools import count

from widget.seams import Strings

GROUP = "widget"


def translations(strings: Strings, locale: str) -> str:
    """For the only `<template>` of the frame; forms of a plural stand beside each other, separated by tabs."""
    # A string that this language lacks must not meet the place of another, so all languages count.
    known = {message: None for each in strings.locales for message in strings.browser(each, GROUP)}
    wanted = strings.browser(locale, GROUP)
    if not wanted:
        return ""
    lines = [""] * size_for(tuple(known))
    for message, found in wanted.items():
        lines[place(message, len(lines))] = found if isinstance(found, str) else "\t".join(found)
    return "\n".join(lines)


def place(message: str, size: int) -> int:
    """The same as `sum` in `strings.js`."""
    total = 0
    for letter in message:
        total = (total * 31 + ord(letter)) % size
    return total


@lru_cache(maxsize=4)
def size_for(messages: Collection[str]) -> int:
    """The least from ten lines a string upward; about one in a hundred will do."""
    return next(size for size in count(10 * len(messages)) if _is_free_of_meetings(messages, size))


def _is_free_of_meetings(messages: Collection[str], size: int) -> bool:
    taken: set[int] = set()
    for message in messages:
        at = place(message, size)
        if at in taken:
            return False
        taken.add(at)
    return True
