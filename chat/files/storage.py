"""Where bytes lie: what is under way, and contents under their hash. Knows no tables.

`Storage` is the seam: a folder here, an object store elsewhere. All of it blocks and is called in threads.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Protocol
from uuid import UUID

from chat.files.errors import OutOfStep
from chat.files.limits import FREE_BYTES, FREE_SHARE
from chat.in_place import flush_folder, put_in_place


class Storage(Protocol):
    """Guarantees: what `write` has answered for is there when the line or the process breaks; of two writers at one
    place one is refused; `keep` is whole or not at all, and the same content twice is one."""

    def received(self, upload: UUID) -> int:
        """How many bytes of it are there."""
        ...

    def write(self, upload: UUID, offset: int, piece: bytes) -> int:
        """How many are there now. Raises OutOfStep where `offset` is not the end."""
        ...

    def local(self, upload: UUID) -> Path:
        """All of it as a file to be looked at."""
        ...

    def drop(self, upload: UUID) -> None: ...

    def keep(self, made: Path, sha256: str) -> None:
        """The content of this file under its hash; the file may be gone afterwards."""
        ...

    def has(self, sha256: str) -> bool: ...

    def open(self, sha256: str) -> IO[bytes]:
        """Raises FileNotFoundError."""
        ...

    def remove(self, sha256: str) -> None: ...

    def has_room(self, size: int) -> bool:
        """For so many bytes more, with enough left for those who need the disk more."""
        ...

    def workplace(self) -> contextlib.AbstractContextManager[Path]:
        """A folder for what is being made, gone afterwards."""
        ...


class DiskStorage:
    """Below the data folder: `files/ab/abcd…` is kept and copied, `.nightdesk-uploads` is passing."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.absolute()
        self._kept = self._root / "files"
        self._passing = self._root / ".nightdesk-uploads"

    def received(self, upload: UUID) -> int:
        try:
            return self.local(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, upload: UUID, offset: int, piece: bytes) -> int:
        self._passing.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.local(upload), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # Two connections of one upload, in whatever processes: the later one of the client's own may be half dead.
            fcntl.flock(handle, fcntl.LOCK_EX)
            received = os.fstat(handle).st_size
            if received != offset:
                raise OutOfStep(received)
            try:
                left = memoryview(piece)
                while left:
                    left = left[os.pwrite(handle, left, offset + len(piece) - len(left)) :]
            except OSError:
                os.ftruncate(handle, offset)
                raise
            return offset + len(piece)
        finally:
            os.close(handle)

    def local(self, upload: UUID) -> Path:
        return self._passing / upload.hex

    def drop(self, upload: UUID) -> None:
        self.local(upload).unlink(missing_ok=True)

    def keep(self, made: Path, sha256: str) -> None:
        target = self._path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.chmod(0o600)
        with contextlib.suppress(FileExistsError):
            put_in_place(made, target)
            flush_folder(self._kept)

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def open(self, sha256: str) -> IO[bytes]:
        return self._path(sha256).open("rb")

    def remove(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)

    def has_room(self, size: int) -> bool:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk = shutil.disk_usage(self._root)
        return disk.free - size >= min(FREE_BYTES, disk.total * FREE_SHARE)

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        self._passing.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(mkdtemp(prefix="made-", dir=self._passing))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def sweep(self, seconds: float) -> None:
        """Takes away what is passing and was not touched for so long: processes that were killed left it."""
        if not self._passing.is_dir():
            return
        with self.workplace() as fresh:
            # By the clock of the disk itself, which may be another machine's.
            before = fresh.stat().st_mtime - seconds
        for path in self._passing.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= before:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum():
            raise ValueError("no hash")
        return self._kept / sha256[:2] / sha256
