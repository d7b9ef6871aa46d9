"""What a file is, by its bytes; the name only has to agree. A closed list: what is not in it is not taken. Pure.

Images come out of here as images to be made anew; everything else is only ever handed out as a download.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from chat.files.errors import NameDeceives, TypeNotAllowed
from chat.files.names import ending

HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Kind:
    media_type: str
    endings: tuple[str, ...]
    """The first is given to a name without one."""
    is_image: bool = False


PNG = Kind("image/png", ("png",), is_image=True)
JPEG = Kind("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"), is_image=True)
GIF = Kind("image/gif", ("gif",), is_image=True)
WEBP = Kind("image/webp", ("webp",), is_image=True)
IMAGES = (PNG, JPEG, GIF, WEBP)
PDF = Kind("application/pdf", ("pdf",))
GZIP = Kind("application/gzip", ("gz", "tgz"))
ZIP = Kind("application/zip", ("zip",))
MP4 = Kind("video/mp4", ("mp4", "m4v", "mov"))
WEBM = Kind("video/webm", ("webm",))
MAIL = Kind("message/rfc822", ("eml",))
TEXT = Kind(
    "text/plain",
    ("txt", "log", "csv", "tsv", "json", "jsonl", "md", "conf", "cfg", "ini", "yml", "yaml", "toml", "sql", "out",
     "err", "trace", "pem", "crt", "diff", "patch", "ics"),
)  # fmt: skip
UTF_16 = Kind("text/plain; charset=utf-16", TEXT.endings)
"""With its mark at the beginning: what Windows writes into logs."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
DOCUMENTS = (
    Kind(f"{_OFFICE}wordprocessingml.document", ("docx",)),
    Kind(f"{_OFFICE}spreadsheetml.sheet", ("xlsx",)),
    Kind(f"{_OFFICE}presentationml.presentation", ("pptx",)),
    Kind(f"{_OPEN}text", ("odt",)),
    Kind(f"{_OPEN}spreadsheet", ("ods",)),
    Kind(f"{_OPEN}presentation", ("odp",)),
)
ALL = (*IMAGES, PDF, GZIP, ZIP, MP4, WEBM, MAIL, TEXT, *DOCUMENTS)
ENDINGS = frozenset(one for kind in ALL for one in kind.endings)

_MAGIC: tuple[tuple[Kind, Callable[[bytes], bool]], ...] = (
    (PNG, lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    (JPEG, lambda head: head.startswith(b"\xff\xd8\xff")),
    (GIF, lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    (WEBP, lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    (PDF, lambda head: head.startswith(b"%PDF-")),
    (GZIP, lambda head: head.startswith(b"\x1f\x8b\x08")),
    (MP4, lambda head: head[4:8] == b"ftyp" and not head[8:12].startswith((b"hei", b"mif", b"msf", b"avi"))),
    (WEBM, lambda head: head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]),
)
# At the very beginning, after blanks and comments: what a browser would take for a page of ours.
_MARKUP = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:[!?]|[a-z])", re.IGNORECASE | re.DOTALL)
_SCRIPT = re.compile(rb"\s*(?:#!|MZ)")
_MAIL = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]*:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){2,}")


def may_begin(name: str) -> None:
    """What can be told before a single byte is sent. Raises TypeNotAllowed."""
    if (last := ending(name)) and last not in ENDINGS:
        raise TypeNotAllowed


def kind_of(head: bytes, name: str) -> Kind:
    """Of a file that begins like this. Text has yet to be read to its end: see `Letters`.

    Raises TypeNotAllowed, or NameDeceives where the content is fine and its name would mislead whoever opens it.
    """
    may_begin(name)
    last = ending(name)
    kind = next((kind for kind, fits in _MAGIC if fits(head)), None)
    if kind is not None and kind.is_image:
        return kind  # made anew, and its name gets the ending of what it is
    if kind is None and head.startswith(b"PK\x03\x04"):
        kind = _archive(head, last)
    if kind is None:
        kind = _text(head, last)
    if last and last not in kind.endings:
        raise NameDeceives
    return kind


def _archive(head: bytes, last: str) -> Kind:
    """A document only where its first entry is that of one: nothing is unpacked to find out."""
    named = next((kind for kind in DOCUMENTS if last in kind.endings), None)
    if named is None:
        return ZIP
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    is_office = first.startswith((b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/"))
    if is_office if named.media_type.startswith(_OFFICE) else first == b"mimetype":
        return named
    raise NameDeceives


def _text(head: bytes, last: str) -> Kind:
    letters = Letters(head)
    plain = letters.take(head).removeprefix(codecs.BOM_UTF8)
    if _MARKUP.match(plain) or _SCRIPT.match(plain):
        raise TypeNotAllowed
    if last in MAIL.endings and _MAIL.match(head):
        return MAIL
    return UTF_16 if letters.is_utf_16 else TEXT


_FORBIDDEN = bytes(one for one in range(32) if one not in b"\t\n\r\x0c\x1b")


class Letters:
    """A text of whatever encoding, read to its end: `take` each piece of it, `end` at last. Both raise TypeNotAllowed
    for what has control characters, and for UTF-16 that is none."""

    def __init__(self, head: bytes) -> None:
        self.is_utf_16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def take(self, piece: bytes, *, is_last: bool = False) -> bytes:
        """The piece; of UTF-16 as UTF-8."""
        if self.is_utf_16:
            try:
                piece = self._decoder.decode(piece, is_last).encode()
            except UnicodeError:
                raise TypeNotAllowed from None
        if piece.translate(None, _FORBIDDEN) != piece:
            raise TypeNotAllowed
        return piece

    def end(self) -> None:
        self.take(b"", is_last=True)
