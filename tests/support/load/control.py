"""The handle of a load: starts its process, asks it, and ends it."""

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from select import select
from time import monotonic
from types import TracebackType
from typing import Any

from tests.support.load.crowd import Plan
from tests.support.steps import ROOT

PATIENCE = 30.0
"""Beyond what a command itself was given."""


class LoadFailed(RuntimeError):
    """The crowd could not do what it was asked."""


class Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = Path(plan.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.load"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._write(asdict(plan))
        self._read = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def history_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("*.jsonl"))

    def ask(self, do: str, *, seconds: float = 30.0, **fields: Any) -> dict[str, Any]:
        self._write({"do": do, "seconds": seconds, **fields})
        answer: dict[str, Any] = json.loads(self._line(seconds + PATIENCE))
        if "failed" in answer:
            raise LoadFailed(f"{do}: {answer['failed']}")
        return answer

    def stop(self) -> None:
        with contextlib.suppress(LoadFailed, OSError):
            self.ask("end")
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _write(self, asked: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        until = monotonic() + seconds
        while b"\n" not in self._read:
            left = until - monotonic()
            readable = left > 0 and select([self._process.stdout], [], [], left)[0]
            chunk = self._process.stdout.read1(65536) if readable else b""  # type: ignore[attr-defined]
            if not chunk:
                raise LoadFailed(f"no answer: {self.log.read_text(errors='replace')[-3000:]}")
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line
