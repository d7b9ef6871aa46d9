"""A file that has arrived is looked at: what it is, whether it is harmless, and what of it is kept.

Reading and hashing happen in threads, images are made anew in a process, the scanner is a command: the loop goes on.
"""

import asyncio
import contextlib
import hashlib
import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from chat.files.errors import REFUSALS, ImageBroken, Infected, NotChecked
from chat.files.kinds import HEAD_BYTES, TEXT, UTF_16, Kind, Letters, kind_of
from chat.files.limits import PIECE
from chat.files.names import ending, with_ending
from chat.files.storage import Storage

IMAGES_AT_ONCE = 2
IMAGE_SECONDS = 40.0
SCAN_SECONDS = 60.0
DECODER_KNOWS = frozenset({"PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """What is kept. `made` and `small` are files of the workplace; `small` is for images."""

    name: str
    media_type: str
    size: int
    made: Path
    sha256: str
    width: int = 0
    height: int = 0
    small: Path | None = None
    small_sha256: str | None = None
    small_size: int = 0


class _Made(msgspec.Struct):
    size: tuple[int, int] = (0, 0)
    refused: str = ""


class Checks:
    """`scan_command`: a scanner to which the path is added; it ends with 0 for clean and 1 for infected."""

    def __init__(self, storage: Storage, scan_command: str | None) -> None:
        self._storage = storage
        self._scan = shlex.split(scan_command) if scan_command else []
        self._images = asyncio.Semaphore(IMAGES_AT_ONCE)

    async def check(self, upload: UUID, name: str, folder: Path) -> Checked:
        """Raises FileRefused for what is not taken, NotChecked where the scanner cannot say."""
        source = self._storage.local(upload)
        kind = await asyncio.to_thread(_recognised, source, name)
        await self._scanned(source)
        if kind.is_image:
            return await self._image(source, name, kind, folder)
        named = name if ending(name) else with_ending(name, kind.endings[0])
        sha256, size = await asyncio.to_thread(_hash_of, source)
        return Checked(named, kind.media_type, size, source, sha256)

    async def _image(self, source: Path, name: str, kind: Kind, folder: Path) -> Checked:
        command = (sys.executable, "-m", "chat.files.imaging", str(source), str(folder), kind.media_type)
        # Of our environment only where its modules are: there are secrets in the rest.
        where = {name: value for name, value in os.environ.items() if name in DECODER_KNOWS}
        async with self._images:
            ended, out = await _run(command, IMAGE_SECONDS, where)
        try:
            told = msgspec.json.decode(out, type=_Made) if ended == 0 else _Made(refused=ImageBroken.code)
        except msgspec.DecodeError:
            told = _Made(refused=ImageBroken.code)
        if told.refused:
            raise REFUSALS.get(told.refused, ImageBroken)
        made, small = folder / "image", folder / "small"
        sha256, size = await asyncio.to_thread(_hash_of, made)
        small_sha256, small_size = await asyncio.to_thread(_hash_of, small)
        named = name if ending(name) in kind.endings else with_ending(name, kind.endings[0])
        checked = Checked(named, kind.media_type, size, made, sha256, *told.size)
        return replace(checked, small=small, small_sha256=small_sha256, small_size=small_size)

    async def _scanned(self, source: Path) -> None:
        if not self._scan:
            return
        # It may need a proxy or a home, but nothing of ours.
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
        ended, _ = await _run((*self._scan, str(source)), SCAN_SECONDS, theirs)
        if ended == 1:
            raise Infected
        if ended != 0:
            log.warning("the virus scanner did not answer", code=ended)
            raise NotChecked


async def _run(command: tuple[str, ...], seconds: float, environment: dict[str, str]) -> tuple[int, bytes]:
    """Exit code and output; -1 for what cannot be started or takes too long. No shell."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return -1, b""
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate()
    except TimeoutError:
        return -1, b""
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, out


def _recognised(source: Path, name: str) -> Kind:
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
        kind = kind_of(head, name)
        if kind in (TEXT, UTF_16):
            letters = Letters(head)
            letters.take(head)
            while piece := file.read(PIECE):
                letters.take(piece)
            letters.end()
    return kind


def _hash_of(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
