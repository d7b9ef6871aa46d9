"""The child's end of the line to its parent: standard input is one end of a socket pair.

The child says that it is ready, and that it leaves; when the parent is gone, however it went, the child reads the end
and leaves too, with all the politeness of SIGTERM. So no server is left behind on the port.
"""

import contextlib
import os
import signal
import threading

LINE = 0
READY = b"ready\n"
LEAVING = b"leaving\n"


def tell_parent(what: bytes = READY) -> None:
    with contextlib.suppress(BrokenPipeError):  # it is gone, and so are we in a moment
        os.write(LINE, what)


def follow_parent() -> None:
    threading.Thread(target=_until_gone, name="parent", daemon=True).start()


def _until_gone() -> None:
    # The parent never writes: whatever ends this read is its end.
    os.read(LINE, 1)
    os.kill(os.getpid(), signal.SIGTERM)
