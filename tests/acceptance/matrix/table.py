"""Results of cells: kept as lines of JSON that a later run goes on with, and shown as a table."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.acceptance.matrix.every_cell import ELSEWHERE
from tests.acceptance.matrix.running import Result

COLUMNS = (
    *("row", "fault", "load", "store", "lost", "doubled", "reordered", "holes", "misdelivered", "recovered s"),
    *("p50 / p99 / p99.9 ms", "messages", "sockets", "errors", ""),
)
HEAD = (f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|")


class Results:
    """One line per cell and run; the last of a cell counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict[tuple[Any, ...], dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._keep(json.loads(line))

    def add(self, result: Result) -> None:
        found = result.as_json()
        self._keep(found)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")

    def _keep(self, found: dict[str, Any]) -> None:
        self.found[found["row"], found["fault"], found["load"], found["store"], found["short"]] = found


def lines_of(results: Iterable[dict[str, Any]]) -> list[str]:
    ordered = sorted(results, key=lambda one: (one["row"], one["fault"], one["load"], one["store"]))
    return [*HEAD, *(line_of(one) for one in ordered), *(f"| {row} | {why} | |" for row, why in ELSEWHERE.items())]


def line_of(one: dict[str, Any]) -> str:
    verdict = "pass" if one["pass"] else "**FAIL**"
    if not one["ran"]:
        verdict = "not here"
    columns = [
        *(one[name] for name in ("row", "title", "load", "store")),
        *(one[name] for name in ("lost", "doubled", "reordered", "holes", "misdelivered", "recovered_seconds")),
        f"{one['p50_ms']:.0f} / {one['p99_ms']:.0f} / {one['p999_ms']:.0f}",
        *(one[name] for name in ("messages", "sockets", "errors_shown")),
        f"{verdict}: {'; '.join(one['says'])}",
    ]
    return "| " + " | ".join(str(column).replace("|", "/") for column in columns) + " |"
