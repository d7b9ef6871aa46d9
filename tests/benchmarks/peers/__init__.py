"""What else people would take: python-socketio and Django Channels, each with its Redis layer, on two processes.

They are installed with the group `peers`: `uv sync --group peers`. Nothing is stored by them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.support.servers import free_port
from tests.support.steps import ROOT


@dataclass(frozen=True)
class Peer:
    name: str
    dialect: str
    needs: tuple[str, ...]
    app: str

    def missing(self) -> str:
        """What is not installed, or nothing."""
        return ", ".join(name for name in self.needs if find_spec(name) is None)

    @contextmanager
    def running(self, redis_url: str) -> Iterator[tuple[list[str], list[int]]]:
        """Two processes: their addresses and their ids."""
        ports = [free_port(), free_port()]
        processes = [self._start(port, redis_url) for port in ports]
        try:
            addresses = [f"http://127.0.0.1:{port}" for port in ports]
            for address in addresses:
                _until_answered(address)
            yield addresses, [process.pid for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait(10)

    def _start(self, port: int, redis_url: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "uvicorn", self.app, "--port", str(port), "--log-level", "warning"]
        if self.dialect == "channels":
            command += ["--lifespan", "off"]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PEER_REDIS_URL": redis_url})


def _until_answered(address: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urlopen(address, timeout=2):  # noqa: S310 — ours
                return
        except HTTPError:
            return
        except OSError:
            time.sleep(0.05)  # a process offers no event to wait for
    raise RuntimeError(f"{address} did not answer")


PEERS = (
    Peer("python-socketio", "socketio", ("socketio",), "tests.benchmarks.peers.socketio_app:app"),
    Peer(
        "Django Channels",
        "channels",
        ("channels", "channels_redis", "django"),
        "tests.benchmarks.peers.channels_app:app",
    ),
)
