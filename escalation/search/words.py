"""Words as search knows them: folded, without diacritics; addresses, order numbers and mail addresses whole. Pure."""

import re
import unicodedata

LONGEST = 40
PREFIX = 3
"""A word that is still being typed is looked for by its beginning from so many letters on."""
MOST = 8
"""Words of a question; more make no answer better."""
_TOKEN = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*|\d+(?:\.\d+)+|t-\d\d-\d{6,}|\w+")
_PARTS = re.compile(r"\w+")


def folded(text: str) -> str:
    """Čebela -> cebela. As long as the text in most cases, not in all."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words_of(text: str) -> set[str]:
    """Each token, and the words inside an address of mail: who knows a part finds the whole."""
    found: set[str] = set()
    for token in _TOKEN.findall(folded(text)):
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
