"""This machine: where we listen, the disk, the data folder and what lies in it."""

import os
import shutil
import stat

from chat.doctor.finding import Finding
from chat.keys import FILE, SHORTEST
from chat.settings import Settings

LOW_DISK = 0.10
ENOUGH_DISK = 20 * 1024**3
"""Bytes; of a large disk even a tenth is plenty."""


def address(settings: Settings) -> Finding:
    public = settings.listen_host not in ("127.0.0.1", "::1")
    if public and not settings.is_secure:
        return Finding(
            "address",
            False,
            f"listens on {settings.listen} without https",
            "Put a proxy with TLS in front and set NIGHTDESK_BASE_URL to its https address.",
        )
    return Finding("address", True, f"{settings.base_url}, listens on {settings.listen}")


def disk(settings: Settings) -> Finding:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        usage = shutil.disk_usage(settings.data_dir)
        probe = settings.data_dir / ".doctor"
        probe.write_text("ok", encoding="ascii")
        probe.unlink()
    except OSError as error:
        says = f"{settings.data_dir} cannot be written ({error.strerror})"
        return Finding("disk", False, says, "Set NIGHTDESK_DATA_DIR to a folder of the user that runs Nightdesk.")
    free = usage.free / usage.total
    enough = free > LOW_DISK or usage.free > ENOUGH_DISK
    mend = "" if enough else "Make room: with a full disk nothing can be acknowledged."
    return Finding("disk", enough, f"{settings.data_dir}, {free:.0%} free", mend)


def folder(settings: Settings) -> Finding:
    """Texts of people and keys lie in it."""
    path = settings.data_dir
    try:
        found = path.stat()
    except OSError as error:
        return Finding("folder", False, f"{path} cannot be looked at ({error.strerror})", "Set NIGHTDESK_DATA_DIR.")
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        return Finding("folder", False, f"{path} belongs to another user", f"Run `chown -R $(id -u) {path}` as root.")
    for one in (path, *sorted(path.glob("*"))):
        mode = stat.S_IMODE(one.lstat().st_mode)
        open_folder = one is path and mode & stat.S_IRWXO
        if (open_folder or mode & stat.S_IWOTH) and not one.is_symlink():
            who = "read" if not mode & stat.S_IWOTH else "change"
            return Finding("folder", False, f"others may {who} {one} ({mode:o})", f"Run `chmod o-rwx {one}`.")
    return Finding("folder", True, f"{path} is ours alone")


def secret_key(settings: Settings) -> Finding:
    path = settings.data_dir / FILE
    if settings.secret_key is not None:
        return Finding("secret key", True, "from the settings")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        length = len(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return Finding("secret key", True, "will be made at the first start")
    except (OSError, UnicodeDecodeError) as error:
        return Finding("secret key", False, f"{path} cannot be read ({type(error).__name__})", "Restore it.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("secret key", False, f"{path} is open to others ({mode:o})", f"Run `chmod 600 {path}`.")
    if length < SHORTEST:
        mend = "Restore it from a copy. With a new one all links that were sent cease to work."
        return Finding("secret key", False, f"{path} is cut short ({length} characters)", mend)
    return Finding("secret key", True, f"{path}")
