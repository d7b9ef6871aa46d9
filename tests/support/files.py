"""Files that people send, good and bad, made on the spot."""

import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from PIL import Image

from chat.clock import Clock
from chat.db import Database
from chat.files.checking import Checks
from chat.files.shares import Owner
from chat.files.storage import DiskStorage
from chat.files.uploads import Upload, Uploads

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
EXE = b"MZ\x90\x00\x03\x00\x00\x00" + b"\x00" * 200
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF\n"
LOG = b"2026-11-26 10:02:11 kernel: eth0: link is down\n" * 20


def image(form: str = "PNG", size: tuple[int, int] = (60, 40), colour: str = "teal", **more: Any) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, form, **more)
    return made.getvalue()


def photo_with_place() -> bytes:
    """A JPEG that says where it was taken, turned by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "planted-word"
    exif.get_ifd(0x8825)[1] = "N"
    return image("JPEG", exif=exif)


def polyglot() -> bytes:
    """A GIF that is a script as well, and has HTML behind it."""
    gif = image("GIF")
    return gif + b"/*" + HTML + b"*/;alert('planted-word')"


def bomb(width: int = 40_000, height: int = 40_000) -> bytes:
    """A PNG of 1.6 gigapixels in two hundred bytes, as far as its header says."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name in names:
            file.writestr(name, "x" * 100)
    return made.getvalue()


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


class Sender:
    """Somebody who sends files to the actions themselves."""

    def __init__(self, uploads: Uploads, owner: Owner) -> None:
        self.uploads = uploads
        self.owner = owner

    async def send(self, data: bytes, name: str, ref: str = "") -> Upload:
        return await self.uploads.take(self.owner, ref or uuid4().hex, name, len(data), pieces(data))


@asynccontextmanager
async def sender(
    db: Database, clock: Clock, folder: Path, *, scan: str | None = None, daily: int = 10**9, person: UUID | None = None
) -> AsyncIterator[Sender]:
    storage = DiskStorage(folder)
    uploads = Uploads(db, clock, storage, Checks(storage, scan), 26_214_400)
    try:
        yield Sender(uploads, Owner("visitor", person or uuid4(), daily, f"site:{uuid4()}"))
    finally:
        await uploads.stop()
