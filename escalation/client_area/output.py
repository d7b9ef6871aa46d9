"""Whether a text is what a program printed in columns, which only stand below each other in letters of one width."""

import re

_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S")
LINES = 2


def is_output(text: str) -> bool:
    """At least two lines with a gap of three spaces or a tab inside: mtr, traceroute, df. Linear."""
    found = 0
    for line in text.splitlines():
        if _COLUMNS.search(line):
            found += 1
            if found == LINES:
                return True
    return False
