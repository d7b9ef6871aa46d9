"""Names as they are compared: without case, diacritics and superfluous spaces. Pure."""

import unicodedata

# Letters with a stroke have no decomposition.
_STROKES = str.maketrans({"đ": "d", "ð": "d", "ħ": "h", "ł": "l", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe"})

LONGEST = 400
"""One letter may fold to many."""


def folded(name: str) -> str:
    """Equal for two names that people would call the same."""
    if name.isascii():
        return " ".join(name.casefold().split())[:LONGEST]
    apart = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(char for char in apart if not unicodedata.combining(char)).translate(_STROKES)
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())[:LONGEST]
