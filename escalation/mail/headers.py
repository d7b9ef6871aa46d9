"""Headers of mail: Message-IDs that can be checked, subjects, and text of strangers that stays one line. Pure."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence

_PREFIXES = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg|odg|posr)\s*(?:\[\d+\])?\s*:)+\s*", re.IGNORECASE)
_TAG = re.compile(r"\[T-\d{2}-\d+\]\s*")
_KEPT = frozenset("\u200c\u200d")
"""Joiners: some scripts and emoji are wrong without them."""
LONGEST_SUBJECT = 200
FIRST_AND_LAST = 10


def one_line(text: str) -> str:
    """Without line breaks, NUL and all that could end a header or turn the direction of writing."""
    plain = "".join(_harmless(char) for char in unicodedata.normalize("NFC", text))
    return " ".join(plain.split())


def _harmless(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp", "Cs"):
        return " "
    return "" if category == "Cf" and char not in _KEPT else char


def ticket_subject(number: str, subject: str) -> str:
    """`[T-26-004217] subject`; what mail programs put before a subject again and again is gone."""
    plain = one_line(subject)
    while (bare := _PREFIXES.sub("", _TAG.sub("", plain))) != plain:
        plain = bare
    return f"[{number}] {plain}"[:LONGEST_SUBJECT].rstrip()


def message_id(key: bytes, place: str, recipient: str, domain: str) -> str:
    """`<t.T-26-004217.5.0123456789abcdef@domain>`: the same place and recipient is the same id, and only we can make
    it. `place` says which message of which ticket it is."""
    mac = hmac.new(key, f"{place}\0{recipient}".encode(), hashlib.sha256).hexdigest()[:16]
    return f"<{place}.{mac}@{domain}>"


def mail_key(secret_key: str) -> bytes:
    return hashlib.sha256(b"nightdesk mail\0" + secret_key.encode()).digest()


def references(ids: Sequence[str]) -> str:
    """The first and last ten of a long thread."""
    if len(ids) > 2 * FIRST_AND_LAST:
        ids = [*ids[:FIRST_AND_LAST], *ids[-FIRST_AND_LAST:]]
    return " ".join(ids)


def ascii_domain(address: str) -> str:
    """The domain as DNS has it; a local part beyond ASCII stays."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address
