"""`nightdesk serve` and `worker` as processes on PostgreSQL and Redis: several of one desk."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.fork_server import Forked
from tests.support.nightdesk import NIGHTDESK, ProgramFailed, run, start
from tests.support.servers import free_port

READY_WITHIN = 30.0


class Desk:
    """One database and bus; `command` runs `nightdesk` on them, `process` starts one more `serve`. Without both it is
    one process on a SQLite file."""

    def __init__(
        self,
        database_url: str | None,
        redis_url: str | None,
        base_url: str = "",
        *,
        program: Sequence[str] = (NIGHTDESK,),
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nightdesk-desk-"))
        self.base_url = base_url or f"http://127.0.0.1:{free_port()}"
        self.processes: list[Process] = []
        self.program = list(program)
        engines = {"NIGHTDESK_DATABASE_URL": database_url, "NIGHTDESK_REDIS_URL": redis_url}
        self._settings = (
            {name: url for name, url in engines.items() if url}
            | {
                "NIGHTDESK_BASE_URL": self.base_url,
                "NIGHTDESK_SECRET_KEY": "a key for tests only, thirty-two characters",
                "NIGHTDESK_DATA_DIR": str(self.folder),
                "NIGHTDESK_SOCKETS_PER_ADDRESS": "10000",
                "NIGHTDESK_ATTEMPTS_PER_MINUTE": "10000",
                "NIGHTDESK_CONVERSATIONS_PER_HOUR": "10000",
            }
            | settings
        )

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
        return kept | self._settings | more

    def command(self, *arguments: str) -> str:
        done = run(arguments, self.environment())
        if done.returncode:
            raise ProgramFailed(f"nightdesk {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def findings(self, **settings: str) -> list[dict[str, Any]]:
        """What the doctor says; not all need be well."""
        found: list[dict[str, Any]] = json.loads(run(["doctor", "--json"], self.environment(**settings)).stdout)
        return found

    def prepare(self) -> None:
        """The schema, and the site of `views.py`."""
        self.command("migrate")
        self.command("site", "add", "--key", "polaris", "--name", "P", "--origin", "https://p.example")

    def sign_in_link(self, name: str, *options: str) -> str:
        """A new operator's link, which works once."""
        email = f"{name.lower().replace(' ', '.')}@desk.example"
        made = self.command("operator", "add", "--email", email, "--name", name, "--json", *options)
        return str(json.loads(made)["sign_in"])

    def serve(self, **settings: str) -> "Process":
        return self._started(Process(self, "serve", **settings))

    def prepared(self, **settings: str) -> "Process":
        """A `serve` that is started later."""
        process = Process(self, "serve", **settings)
        self.processes.append(process)
        return process

    def serve_many(self, count: int, **settings: str) -> "Process":
        """Several on one port, below one parent."""
        return self._started(Process(self, "serve", "--processes", str(count), "--json", **settings))

    def work(self) -> "Process":
        return self._started(Process(self, "worker"))

    def _started(self, process: "Process") -> "Process":
        self.processes.append(process)
        process.start()
        return process

    def remove(self) -> None:
        for process in self.processes:
            process.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Process:
    """Killed and started again it keeps its port."""

    def __init__(self, desk: Desk, command: str, *options: str, **settings: str) -> None:
        self._desk = desk
        self._command = command
        self._options = options
        self._settings = settings
        self.program = desk.program
        """What the next start runs: another version, or one with another clock."""
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log = desk.folder / f"{command}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProgramFailed(f"{self._command} does not run")
        return self._process.pid

    @property
    def children(self) -> set[int]:
        """Their process ids."""
        return {int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()}

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = start(
                [self._command, *self._options],
                self._desk.environment(NIGHTDESK_LISTEN=f"127.0.0.1:{self.port}", **self._settings),
                log,
                program=self.program,
            )
        if self._command == "serve":
            self._until_ready()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code; after a signal that it was sent."""
        process, self._process = self._process, None
        if process is None:
            raise ProgramFailed(f"{self._command} does not run")
        return process.wait(60)

    def end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _until_ready(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            if self.is_ready():
                return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)  # a process offers no event to wait for
        raise ProgramFailed(f"{self._command} was not ready: {self.log.read_text(errors='replace')[-3000:]}")

    def metric(self, name: str, token: str) -> float:
        """One figure without labels, as `/metrics` says it."""
        request = Request(f"{self.base_url}/metrics", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 — ours
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise LookupError(name)

    def is_ready(self) -> bool:
        if "--json" in self._options:
            # Many share the port: the first that answers speaks for itself alone.
            return '"ready_seconds"' in self.log.read_text(errors="replace")
        with contextlib.suppress(OSError), urlopen(f"{self.base_url}/readyz", timeout=2) as answer:  # noqa: S310 — ours
            return bool(answer.status == 200)
        return False
