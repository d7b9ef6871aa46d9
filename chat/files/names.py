"""Names of files: a label for people, never a path. Pure.

Normalised first, then checked: what is left out (zero widths, overrides) cannot hide an ending.
"""

import re
import unicodedata

LONGEST = 255
"""Bytes, as file systems have it."""
_JOINERS = "\u200c\u200d"
"""Persian and emoji need them."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r'[<>:"|?*\\/]')


def label(name: str) -> str:
    """What is shown and offered for saving: no path, no control or direction characters, no reserved name."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    text = re.split(r"[\\/]", text)[-1]
    kept = "".join(one for one in text if one in _JOINERS or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co"))
    kept = _few_marks(" ".join(_UNSAFE.sub("_", kept).split())).strip(". ")
    if not kept.strip("._ " + _JOINERS):
        kept = "file"
    if _RESERVED.fullmatch(kept):
        kept = f"_{kept}"
    return _shortened(kept)


def ending(name: str) -> str:
    """`Report.PDF` -> `pdf`; empty without one."""
    stem, dot, last = name.rpartition(".")
    return last.strip().lower() if dot and stem else ""


def with_ending(name: str, wanted: str) -> str:
    """The name with this ending in place of its own."""
    stem = name.rpartition(".")[0] if ending(name) else name
    return _shortened(f"{stem}.{wanted}")


def _shortened(name: str) -> str:
    """To 255 bytes, the ending kept."""
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, last = name.rpartition(".")
    tail = f".{last}" if dot and stem and len(last) <= 10 else ""
    head = name.removesuffix(tail) if tail else name
    return head.encode()[: LONGEST - len(tail.encode())].decode("utf-8", "ignore").rstrip(". ") + tail


def _few_marks(text: str) -> str:
    """At most four combining marks on a letter."""
    kept: list[str] = []
    marks = 0
    for one in text:
        marks = marks + 1 if unicodedata.combining(one) else 0
        if marks <= 4:
            kept.append(one)
    return "".join(kept)
