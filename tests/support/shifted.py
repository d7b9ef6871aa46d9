"""`python -m tests.support.shifted …` is `nightdesk …` with a wall clock that a file moves while it runs.

The file (`SHIFTED_CLOCK`) holds the seconds as a double. The stopwatch goes on, as when somebody sets a machine's
clock.
"""

import mmap
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chat.clock import SystemClock

FORM = "d"


def shift(path: Path, seconds: float) -> None:
    """In place: programs that run have the file mapped."""
    if not path.exists():
        path.write_bytes(struct.pack(FORM, seconds))
        return
    with path.open("r+b") as file:
        file.write(struct.pack(FORM, seconds))


def main() -> None:
    with Path(os.environ.pop("SHIFTED_CLOCK")).open("rb") as file:
        shifted = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def now(_clock: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=struct.unpack(FORM, shifted[:8])[0])

    SystemClock.now = now  # type: ignore[method-assign, assignment]
    from chat.cli import main as nightdesk

    nightdesk()


if __name__ == "__main__":
    main()
