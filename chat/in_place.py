"""Files that appear whole or not at all."""

import os
from pathlib import Path


def put_in_place(made: Path, target: Path) -> None:
    """`made` under the name of `target`, on the disk, unless something is there already: raises FileExistsError."""
    try:
        # Unlike a new name this never takes the place of a file that somebody made in the meantime.
        os.link(made, target)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # a file system without links
        made.rename(target)
    else:
        made.unlink()
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """So that the names in it outlive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
