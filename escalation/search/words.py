"""Words as search knows them: folded, without diacritics; addresses, order numbers and mail addresses whole. Pure."""

import re
import unicodedata

LONGEST = 40
PREFIX = 3
"""A word that is still being typed is looked for by its beginning from so many letters on."""
MOST = 8
"""Words of a question; more make no answer better."""
MOST_LETTERS = 40_000
"""Folded, of one text: no message is longer, unless its letters were chosen to swell."""
# The parts of an address of mail are as long as RFC 5321 lets them be: without a bound each dot of a long row of dots
# would be tried as the beginning of one, up to the end.
_TOKEN = re.compile(
    r"[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+)+"
    r"|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*|\d+(?:\.\d+)+|t-\d\d-\d{6,}|\w+"
)
_PIECE = 64
_PARTS = re.compile(r"\w+")


def folded(text: str) -> str:
    """Čebela -> cebela. As long as the text in most cases, not in all."""
    lower = text.casefold()
    # In pieces: marks are put in order by a sort that takes a second for ten thousand of them, and no mark is kept.
    pieces = (unicodedata.normalize("NFKD", lower[at : at + _PIECE]) for at in range(0, len(lower), _PIECE))
    return "".join(letter for piece in pieces for letter in piece if not unicodedata.combining(letter))


def words_of(text: str) -> set[str]:
    """Each token, and the words inside an address of mail: who knows a part finds the whole."""
    found: set[str] = set()
    for token in _TOKEN.findall(folded(text)[:MOST_LETTERS]):
        found.add(token[:LONGEST])
        found.update(part[:LONGEST] for part in _PARTS.findall(token))
    return {word for word in found if len(word) > 1}


def question_of(text: str) -> list[str]:
    """The words asked for, in their order, each once; the last may be a beginning."""
    tokens = [token[:LONGEST] for token in _TOKEN.findall(folded(text)[:200]) if len(token) > 1]
    return list(dict.fromkeys(tokens))[:MOST]


def excerpt(text: str, words: list[str], around: int = 70) -> list[tuple[str, bool]] | None:
    """The text around the first word that fits, in pieces: (piece, whether it is what was asked for). None where
    none fits."""
    spots = [
        (found.start(), found.end())
        for found in re.finditer(r"[\w.@:+-]+", text)
        if any(
            part.startswith(word) for word in words for part in (folded(found[0]), *_PARTS.findall(folded(found[0])))
        )
    ]
    if not spots:
        return None
    first = max(0, spots[0][0] - around)
    last = min(len(text), spots[0][1] + around)
    pieces: list[tuple[str, bool]] = [("…", False)] if first else []
    at = first
    for start, end in spots:
        if end > last:
            break
        pieces += [(text[at:start], False), (text[start:end], True)]
        at = end
    pieces.append((text[at:last], False))
    if last < len(text):
        pieces.append(("…", False))
    return [piece for piece in pieces if piece[0]]
