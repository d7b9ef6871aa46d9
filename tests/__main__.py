"""`python -m tests` runs every layer, `python -m tests unit hub` some; the last line counts what passed and failed.

Four steps run side by side: what is alone on the machine mostly waits, for a process, a lease, a browser. Whoever is
done takes the next one, and the longest ones come first, so that all end together.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tests.support.browser_types import check_browser_types
from tests.support.catalogue import check_strings
from tests.support.needs import need_browser, need_npm_packages, need_servers
from tests.support.sizes import measure_sizes
from tests.support.steps import ROOT, Verdict, run_commands, run_pytest

PYTHON = sys.executable
COMMANDS = ("acceptance/test_commands.py",)
OPERATIONS = tuple(f"integration/test_{name}.py" for name in ("backup", "canary", "doctor", "housekeeping", "metrics"))
MATRIX = (
    "acceptance/test_matrix.py",
    *(f"acceptance/test_contract{part}.py" for part in ("", "_access", "_presence")),
)
FAULTS = tuple(
    f"integration/test_{name}.py"
    for name in ("postgres_faults", "sqlite_faults", "hung_database", "redis_bus", "readyz")
)


def _of(*names: str) -> tuple[str, ...]:
    folder = ROOT / "tests" / "integration"
    return tuple(sorted(f"integration/{file.name}" for name in names for file in folder.glob(f"test_{name}*.py")))


CLIENT_AREA = _of("client", "delivery")
DESK = _of("administration", "desk", "shifts")
TICKETS = _of("escalation", "file", "killed", "mail", "notes", "registry", "simulated", "sla")
OTHERS = tuple(
    f"--ignore=tests/{file}" for file in (*COMMANDS, *OPERATIONS, *MATRIX, *FAULTS, *CLIENT_AREA, *DESK, *TICKETS)
)
"""Have steps of their own."""
Step = Callable[[], Verdict]
STEPS: dict[str, Step] = {
    "browser": lambda: run_pytest("browser", needs=[need_npm_packages, need_browser, need_servers]),
    "acceptance": lambda: run_pytest("acceptance", *OTHERS, needs=[need_servers]),
    "integration": lambda: run_pytest("integration", *OTHERS),
    "style": lambda: run_commands(
        [PYTHON, "-m", "ruff", "check", "--quiet", "."], [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."]
    ),
    "matrix": lambda: run_pytest(*MATRIX, needs=[need_servers]),
    "tickets": lambda: run_pytest(*TICKETS),
    "desk": lambda: run_pytest(*DESK),
    "operations": lambda: run_pytest(*OPERATIONS, needs=[need_servers]),
    "faults": lambda: run_pytest(*FAULTS, needs=[need_servers]),
    "client-area": lambda: run_pytest(*CLIENT_AREA),
    "types": lambda: run_commands([PYTHON, "-m", "mypy"]).without(": note: "),
    "commands": lambda: run_pytest(*COMMANDS, needs=[need_servers]),
    "unit": lambda: run_pytest("unit"),
    "strings": check_strings,
    "hub": lambda: run_pytest("hub"),
    "protocol": lambda: run_pytest("protocol"),
    "sizes": measure_sizes,
    "browser-types": check_browser_types,
    "contracts": lambda: run_commands([PYTHON, "-m", "importlinter.cli", "lint"]),
}
"""In the order in which they begin."""
AT_ONCE = 4


class Report:
    """Prints each step when it ends; the output of a step only when it failed or has figures."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._lock = Lock()

    def add(self, name: str, verdict: Verdict, seconds: float) -> None:
        with self._lock:
            self.passed += verdict.passed
            self.failed += verdict.failed
            if verdict.output and (verdict.failed or verdict.is_figure):
                print(verdict.output.rstrip())
            counts = f"{verdict.passed} passed" + (f", {verdict.failed} failed" if verdict.failed else "")
            word = "failed" if verdict.failed else "ok"
            print(f"{name:<14} {word:<7} {seconds:6.1f} s  {counts}", flush=True)


def run_step(name: str, report: Report) -> None:
    started = time.monotonic()
    try:
        verdict = STEPS[name]()
    except Exception as error:  # a step that breaks is a failed step, and the others still run
        verdict = Verdict(0, 1, f"{name}: {type(error).__name__}: {error}")
    report.add(name, verdict, time.monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="step", help=", ".join(STEPS))
    wanted = parser.parse_args().steps or list(STEPS)
    if unknown := [name for name in wanted if name not in STEPS]:
        parser.error(f"there is no step {', '.join(unknown)}; steps are {', '.join(STEPS)}")
    # Each of the hundreds of processes would compile the program anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report, began = Report(), time.monotonic()
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for step in [pool.submit(run_step, name, report) for name in STEPS if name in wanted]:
            step.result()
    finally:
        pool.shutdown(cancel_futures=True)
    print(f"all steps {time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
