"""The real `nightdesk` as a process of its own, and what it said when it was ready."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from select import select
from typing import Any
from uuid import uuid4

from tests.support.fork_server import Forked
from tests.support.nightdesk import NIGHTDESK, ProgramFailed, run, start

READY_WITHIN = 30.0


class DemoProgram:
    """`nightdesk demo` on SQLite in a folder of its own. `kill` and `start` again keep folder and port."""

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nightdesk-demo-"))
        self.site = ""
        self.console = ""
        self.client = ""
        """Signs the demo's customer in once."""
        self.ready_seconds = 0.0
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.program = [NIGHTDESK]
        """What is started: another version, if need be."""
        self._said: io.FileIO | None = None
        self._port = 0
        self._settings = settings

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def origin(self) -> str:
        return "/".join(self.site.split("/")[:3])

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        said_here, said_there = os.pipe()
        self._said = io.FileIO(said_here)
        try:
            with self.log.open("a") as log:
                asked = ["demo", "--port", str(self._port), "--json"]
                self.process = start(asked, self._environment(self.folder), said_there, log, program=self.program)
        finally:
            os.close(said_there)
        said = self._first_line()
        self.site, self.console, self.client = said["site"], said["console"], said["client"]
        self.ready_seconds = float(said["ready_seconds"])
        self._port = int(self.origin.rpartition(":")[2])

    def run(self, *arguments: str) -> Any:
        """Another `nightdesk` command on the same data; its JSON where it gives some."""
        done = run(arguments, self._environment(self.folder / "demo", NIGHTDESK_BASE_URL=self.origin))
        if done.returncode:
            raise ProgramFailed(f"nightdesk {' '.join(arguments)}: {done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut, for the process."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sign_in_link(self, name: str = "Omar", **options: str) -> str:
        """A new operator's link, which works once."""
        email = f"{name.lower()}.{uuid4().hex[:8]}@example.com"
        named = [part for option, value in options.items() for part in (f"--{option}", value)]
        return str(self.run("operator", "add", "--email", email, "--name", name, "--json", *named)["sign_in"])

    def environment(self) -> dict[str, str]:
        """For starting the program another way on the same folder."""
        return self._environment(self.folder)

    def _environment(self, data: Path, **settings: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
        return kept | {"NIGHTDESK_DATA_DIR": str(data)} | self._settings | settings

    def _first_line(self) -> Mapping[str, Any]:
        process = self.process
        if process is None or self._said is None:
            raise ProgramFailed("not started")
        readable, _, _ = select([self._said], [], [], READY_WITHIN)
        line = self._said.readline() if readable else b""
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            process.kill()
            process.wait(10)
            log = self.log.read_text(errors="replace")[-3000:]
            raise ProgramFailed(f"nightdesk demo was not ready, it said {line!r}: {log}") from None
        return said

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        if self._said is not None:
            self._said.close()
