"""Processes of `nightdesk` that are forked from one that has imported the program: a second or two of processor less
for each of the many hundred that the tests start.

`python -m tests.support.fork_server` is that one. What is asked of it comes as JSON with the descriptors of the new
process; its end is told over a socket of its own. A program that is started anew, as people start it, is what the demo
and the tests of upgrades run.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.steps import ROOT

LINE = 0
"""The server's end of the line to us is its standard input."""
MOST_BYTES = 128 * 1024
PACKAGES = ("chat", "escalation")
ALSO = ("aiosqlite", "psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.aiosqlite")


class Forked:
    """As much of `subprocess.Popen` as is asked of a program here."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._words = b""
        self.returncode: int | None = None
        self.pid = int(self._word(60.0) or self._lost())

    def poll(self) -> int | None:
        if self.returncode is None and (word := self._word(0.0)) is not None:
            self.returncode = int(word)
            self._told.close()
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit code; after a signal, less than 0. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            word = self._word(timeout)
            if word is None:
                raise subprocess.TimeoutExpired("nightdesk", timeout)
            self.returncode = int(word)
            self._told.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _word(self, seconds: float) -> bytes | None:
        """The next line, or None when there is none in that time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._words:
            if not select.select([self._told], [], [], max(until - time.monotonic(), 0.0))[0]:
                return None
            part = self._told.recv(64)
            if not part:
                self._lost()
            self._words += part
        word, _, self._words = self._words.partition(b"\n")
        return word

    def _lost(self) -> int:
        raise RuntimeError("the fork server is gone")


class ForkServer:
    """To be closed; what was started outlives it, as with any other parent."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server"], cwd=ROOT, stdin=theirs.fileno()
            )

    def close(self) -> None:
        self._line.close()
        self._process.wait(30)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        descriptors: tuple[int, int, int],
        module: str = "chat.cli",
    ) -> Forked:
        """`descriptors`: of its standard input, output and errors. `module`: whose `main` it is."""
        told, theirs = socket.socketpair()
        asked = json.dumps([module, list(arguments), dict(environment), str(folder)]).encode()
        with theirs:
            socket.send_fds(self._line, [asked], [*descriptors, theirs.fileno()])
        return Forked(told)


@dataclass(frozen=True)
class _Asked:
    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    descriptors: list[int]

    def become(self) -> None:
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.argv = ["nightdesk", *self.arguments]
        sys.modules["__main__"].__package__ = None  # or the usage would name this module


def _import_all() -> None:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if ".versions." not in module.name and not module.name.endswith(("__main__", ".env")):
                importlib.import_module(module.name)
    for name in ALSO:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _serve() -> _Asked | None:
    """In each new process what it is to be; None in the server, when nobody asks any more."""
    line = socket.socket(fileno=os.dup(LINE))
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    living: dict[int, socket.socket] = {}
    while True:
        readable, _, _ = select.select([line, woken], [], [])
        if woken in readable:
            woken.recv(4096)
            _bury(living)
        if line not in readable:
            continue
        asked, descriptors, _, _ = socket.recv_fds(line, MOST_BYTES, 4)
        if not asked:
            return None
        told = socket.socket(fileno=descriptors.pop())
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (line, woken, wakes, told, *living.values()):
                end.close()
            module, arguments, environment, folder = json.loads(asked)
            return _Asked(module, arguments, environment, folder, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        living[pid] = told
        told.sendall(b"%d\n" % pid)
        _bury(living)


def _bury(living: dict[int, socket.socket]) -> None:
    for pid in list(living):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with living.pop(pid) as told:
                try:
                    told.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                except BrokenPipeError:
                    continue  # nobody asks how it ended


def main() -> None:
    _import_all()
    asked = _serve()
    if asked is not None:
        asked.become()
        importlib.import_module(asked.module).main()


if __name__ == "__main__":
    main()
