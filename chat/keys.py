"""The secret key: from the settings, or made at first start and kept in the data folder, readable by its owner only."""

import contextlib
import os
import secrets
from pathlib import Path
from tempfile import mkstemp

from chat.in_place import put_in_place
from chat.settings import Settings

FILE = "secret-key"
SHORTEST = 32


class KeyCutShort(Exception):
    """The file of the key is not whole: who signed with it would sign with next to nothing."""


def secret_key_of(settings: Settings) -> str:
    """Several programs may start at once: all get the same. Raises KeyCutShort."""
    known = known_secret_key(settings)
    if known is not None:
        return known
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = mkstemp(prefix=".nightdesk-", dir=settings.data_dir)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):  # another's, whole
            put_in_place(Path(name), settings.data_dir / FILE)
    finally:
        Path(name).unlink(missing_ok=True)
    return _kept(settings)


def known_secret_key(settings: Settings) -> str | None:
    """None where none was made so far."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    try:
        return _kept(settings)
    except FileNotFoundError:
        return None


def _kept(settings: Settings) -> str:
    path = settings.data_dir / FILE
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < SHORTEST:
        raise KeyCutShort(
            f"{path} is cut short: restore it from a copy, or remove it and a new one is made. "
            "With a new one all links that were sent cease to work."
        )
    return key
