"""The file of a copy: a gzipped tar whose first member says what all others must be. Knows no database.

The hash of each member stands in the manifest, so a copy that was cut short, damaged or changed is told from a good
one before anything is restored from it.
"""

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import IO, Literal

import msgspec

from chat.in_place import put_in_place

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES = 64 * 1024 * 1024
CHUNK = 1024 * 1024


class CopyRefused(Exception):
    """A copy cannot be made or used; the message says why, and what to do."""


class Member(msgspec.Struct, frozen=True):
    name: str
    size: int
    sha256: str
    mode: int


class TableCopy(msgspec.Struct, frozen=True):
    name: str
    rows: int
    columns: list[str]


class Manifest(msgspec.Struct, frozen=True):
    made_at: str
    version: str
    """Of the program that made the copy."""
    schema: str
    """Revision of the database."""
    database: Literal["sqlite", "postgresql"]
    conversations: int
    tables: list[TableCopy]
    members: list[Member]
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def size(self) -> int:
        """Bytes of everything when it is unpacked."""
        return sum(member.size for member in self.members)


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """A folder for what is under way, readable by its owner only, gone afterwards."""
    made = Path(mkdtemp(prefix=".nightdesk-", dir=beside))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def members_of(folder: Path) -> list[Member]:
    """Everything in the folder, sorted."""
    return [
        Member(path.relative_to(folder).as_posix(), path.stat().st_size, _hash_of(path), path.stat().st_mode & 0o777)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def pack(folder: Path, manifest: Manifest, target: Path) -> None:
    """Whole or not at all: the name appears when the last byte is on the disk. Readable by its owner only."""
    partial = target.with_name(target.name + ".partial")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
                text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
                _add(tar, Member(MANIFEST, len(text), "", 0o600), BytesIO(text))
                for member in manifest.members:
                    with (folder / member.name).open("rb") as content:
                        _add(tar, member, content)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def manifest_of(source: Path) -> Manifest:
    """What the copy says of itself. Raises CopyRefused."""
    with _opened(source) as tar:
        return _manifest(tar, source)


def unpack(source: Path, folder: Path) -> Manifest:
    """All members, each compared with what the manifest says. Raises CopyRefused."""
    with _opened(source) as tar:
        manifest = _manifest(tar, source)
        wanted = {member.name: member for member in manifest.members}
        while (found := tar.next()) is not None:
            member = wanted.pop(found.name, None)
            content = tar.extractfile(found) if found.isreg() else None
            if member is None or content is None:
                raise CopyRefused(f"{source} is damaged: {found.name!r} does not belong in it. Use another copy.")
            _unpack(content, member, folder, source)
        while tar.fileobj.read(CHUNK):
            pass  # to the very end, where the sum of the whole file stands
    if wanted:
        raise CopyRefused(f"{source} is cut short: {len(wanted)} of its parts are missing. Use another copy.")
    return manifest


def _add(tar: tarfile.TarFile, member: Member, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(member.name)
    info.size, info.mode = member.size, member.mode
    tar.addfile(info, content)


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise CopyRefused(f"There is no file {source}.") from None
    except OSError as error:
        raise CopyRefused(f"{source} cannot be read ({error.strerror}).") from None
    try:
        with file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        raise CopyRefused(f"{source} is cut short or no copy of Nightdesk. Use another copy.") from None


def _manifest(tar: tarfile.TarFile, source: Path) -> Manifest:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if content is None:
        raise CopyRefused(f"{source} is no copy of Nightdesk.")
    try:
        text = content.read(MANIFEST_BYTES)
        made = msgspec.json.decode(text, type=_Format)
        if made.format > FORMAT:
            raise CopyRefused(f"{source} was made by Nightdesk {made.version}. Install that version or a newer one.")
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError:
        raise CopyRefused(f"{source} is damaged: what it says of itself cannot be read. Use another copy.") from None
    for member in manifest.members:
        top, *rest = PurePosixPath(member.name).parts or ("",)
        if top not in ("database", "files") or not rest or ".." in rest or "\0" in member.name:
            raise CopyRefused(f"{source} wants to write to {member.name!r}: that is no copy of Nightdesk.")
    return manifest


class _Format(msgspec.Struct):
    version: str
    format: int


def _unpack(content: IO[bytes], member: Member, folder: Path, source: Path) -> None:
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    total, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while chunk := content.read(CHUNK):
            total.update(chunk)
            size += len(chunk)
            file.write(chunk)
    path.chmod(member.mode)
    if (size, total.hexdigest()) != (member.size, member.sha256):
        raise CopyRefused(f"{source} is damaged: {member.name} is not what was copied. Use another copy.")


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
