"""`nightdesk backup` and `restore`: a consistent copy of database and data folder in one file, and the way back."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from chat.connecting import is_sqlite, sqlite_path
from chat.migrations import schema
from chat.operations.archive import CopyRefused, Manifest, manifest_of, members_of, pack, unpack, workplace
from chat.operations.comparing import require_same
from chat.operations.stores import POSITIONS, store_of
from chat.settings import Settings

FILES = "files"
COPY_ENDING = ".tar.gz"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def back_up(settings: Settings, target: Path) -> tuple[Path, Manifest]:
    """Copies while the desk serves; the file that was made. Raises CopyRefused."""
    now = datetime.now(UTC)
    if target.is_dir():
        target /= f"nightdesk-{now:%Y%m%d-%H%M%S}{COPY_ENDING}"
    if target.exists():
        raise CopyRefused(f"{target} is there already and is not overwritten: name another file.")
    if not target.parent.is_dir():
        raise CopyRefused(f"There is no folder {target.parent}.")
    with _told(), workplace(target.parent) as folder:
        store = store_of(settings.effective_database_url)
        revision, tables = store.save(folder)
        # After the database: a file is on the disk before a row names it.
        _copy_files(settings, folder / FILES, target)
        with (folder / POSITIONS).open("rb") as positions:
            conversations = sum(1 for _ in positions)
        manifest = Manifest(
            made_at=now.isoformat(timespec="seconds"),
            version=version("nightdesk"),
            schema=revision,
            database="sqlite" if store.kind == "sqlite" else "postgresql",
            conversations=conversations,
            tables=tables,
            members=members_of(folder),
        )
        pack(folder, manifest, target)
    return target, manifest


def restore(settings: Settings, source: Path) -> Manifest:
    """Into an empty place, whole or not at all. Raises CopyRefused."""
    with _told():
        manifest = _fitting(settings, source)
        store = store_of(settings.effective_database_url)
        store.require_empty()
        for member in manifest.members:
            path = settings.data_dir / member.name.removeprefix(f"{FILES}/")
            if member.name.startswith(f"{FILES}/") and path.exists():
                raise CopyRefused(f"{path} is there already: a copy is only restored into an empty place.")
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with workplace(settings.data_dir) as folder:
            _require_room(folder, manifest, times=2)
            unpack(source, folder)
            with _placed(folder / FILES, settings.data_dir):
                store.load(folder, manifest, lambda connection: require_same(connection, manifest, folder))
    return manifest


def drill(settings: Settings, source: Path) -> Manifest:
    """Proves a copy: restored into a throw-away place, compared, thrown away. Raises CopyRefused with what is wrong."""
    with _told(), workplace(Path(gettempdir())) as folder:
        manifest = _fitting(settings, source)
        _require_room(folder, manifest, times=1)
        unpack(source, folder)
        store = store_of(settings.effective_database_url)
        store.drill(folder, manifest, lambda connection: require_same(connection, manifest, folder))
    return manifest


def _fitting(settings: Settings, source: Path) -> Manifest:
    manifest = manifest_of(source)
    here = store_of(settings.effective_database_url).kind
    if manifest.database != here:
        raise CopyRefused(
            f"The copy is of {NAMES[manifest.database]} and NIGHTDESK_DATABASE_URL names {NAMES[here]}: use the same."
        )
    if manifest.schema not in (known := schema.history()):
        raise CopyRefused(
            f"The copy was made by Nightdesk {manifest.version} with schema {manifest.schema}; this program knows up "
            f"to {known[0]}. Install that version or a newer one."
        )
    return manifest


def _copy_files(settings: Settings, folder: Path, target: Path) -> None:
    """What else lies in the data folder: keys, uploads. Not the database in all its forms, and no copies."""
    root = settings.data_dir
    url = settings.effective_database_url
    database = Path(sqlite_path(url)).name if is_sqlite(url) else settings.sqlite_path.name
    passing = (database, settings.sqlite_path.name, ".nightdesk-", ".doctor")
    beside = target.parent.resolve()
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        name = path.relative_to(root)
        # Also of another desk below, as the demo: a file that is written to cannot be copied like this.
        is_ours = any(part.startswith(passing) for part in name.parts)
        if is_ours or path.is_symlink() or not path.is_file():
            continue
        if (path.parent.resolve() == beside or path.name.startswith("nightdesk-")) and _is_copy(path):
            continue
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it went away in this moment
            shutil.copy2(path, to)


def _is_copy(path: Path) -> bool:
    """One that held those before it would be twice as large each time."""
    if not path.name.endswith((COPY_ENDING, f"{COPY_ENDING}.partial")):
        return False
    try:
        manifest_of(path)
    except CopyRefused:
        return False
    return True


@contextmanager
def _placed(folder: Path, root: Path) -> Iterator[None]:
    """The files lie in their place while the rest is done; if that fails, they go again."""
    placed: list[Path] = []
    try:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            to = root / path.relative_to(folder)
            if path.is_file():
                to.touch(mode=0o600, exist_ok=False)  # a desk that was started meanwhile keeps what it made
                placed.append(to)
                shutil.copy2(path, to)
            elif not to.exists():
                to.mkdir()
                placed.append(to)
        yield
    except BaseException:
        for one in reversed(placed):
            if one.is_dir():
                one.rmdir()
            else:
                one.unlink(missing_ok=True)
        raise


def _require_room(folder: Path, manifest: Manifest, *, times: int) -> None:
    free, needed = shutil.disk_usage(folder).free, times * manifest.size
    if free < needed:
        raise CopyRefused(f"The disk under {folder.parent} has {_mb(free)} left and {_mb(needed)} are needed.")


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong on the way, in words. What was begun is gone by then."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CopyRefused(f"SQLite refused: {error}.") from error
    except (psycopg.Error, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None)
        what = f"{type(cause).__name__}, {state}" if state else type(cause).__name__
        raise CopyRefused(
            f"The database refused ({what}). Check NIGHTDESK_DATABASE_URL; `nightdesk doctor` says more."
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise CopyRefused("The disk is full: nothing was kept. Make room, or name another place.") from error
        what = error.strerror or type(error).__name__
        raise CopyRefused(f"{error.filename or 'A file'}: {what}. Nothing was kept.") from error
