"""What a step of `python -m tests` is, and the two common kinds: commands, and a folder of pytest."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
STEP_SECONDS = 900


@dataclass(frozen=True)
class Verdict:
    """Counts of one step. `is_figure`: the output is worth reading even when all is well."""

    passed: int
    failed: int
    output: str = ""
    is_figure: bool = False

    @classmethod
    def of_findings(cls, findings: Sequence[str], output: str = "") -> "Verdict":
        """One check that is passed when it found nothing."""
        return cls(0, 1, "\n".join(findings)) if findings else cls(1, 0, output, bool(output))

    def without(self, mark: str) -> "Verdict":
        """The same with fewer lines of output, where a tool explains at length."""
        return replace(self, output="\n".join(line for line in self.output.splitlines() if mark not in line))


def run(command: Sequence[str], *, cwd: Path = ROOT, seconds: float = STEP_SECONDS) -> tuple[int, str]:
    """Exit code and all output. A command that hangs is ended with its whole process group."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return 124, f"{output}\nended after {seconds:.0f} s without an end"
    return process.returncode, output


def run_commands(*commands: Sequence[str]) -> Verdict:
    failures = [output for code, output in map(run, commands) if code]
    return Verdict(len(commands) - len(failures), len(failures), "\n".join(failures))


def run_pytest(*where: str, needs: Sequence[Callable[[], None]] = ()) -> Verdict:
    """Below `tests/`, and options. A skipped test counts as failed: nothing is left out in silence."""
    for need in needs:
        need()
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--color=no", f"--junit-xml={results}"]
        command += [one if one.startswith("-") else f"tests/{one}" for one in where]
        code, output = run(command)
        if not results.exists():
            return Verdict(0, 1, output)
        suite = ET.parse(results).getroot().find("testsuite")  # noqa: S314 — pytest wrote it just now
    if suite is None:
        return Verdict(0, 1, output)
    total, failures, errors, skipped = (int(suite.get(n, 0)) for n in ("tests", "failures", "errors", "skipped"))
    failed = failures + errors + skipped
    if code and not failed:
        failed = 1  # nothing was collected, or pytest itself broke
    return Verdict(max(total - failures - errors - skipped, 0), failed, output)
