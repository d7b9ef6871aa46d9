"""Results of cells: kept as lines of JSON that a later run goes on with, and shown as a table."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.acceptance.matrix.every_cell import ELSEWHERE
from tests.acceptance.matrix.running import Result

COLUMNS = (
    *("row", "fault", "load", "store", "lost", "doubled", "reordered", "holes", "misdelivered", "recovered s"),
    *("p50 / p99 / p99.9 ms", "messages", "sockets", "errors", ""),
)
TABLE = re.compile(r"(<!-- matrix: .*? -->\n).*?(<!-- end of matrix -->)", re.DOTALL)
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


def elsewhere(*, short: bool) -> list[dict[str, Any]]:
    """The rows that are not produced here, as cells."""
    return [
        Result(row, title, "", "", "", short, passed=True, ran=False, says=[why]).as_json()
        for row, (title, why) in ELSEWHERE.items()
    ]


def lines_of(results: Iterable[dict[str, Any]]) -> list[str]:
    ordered = sorted(results, key=lambda one: (one["row"], one["fault"], one["load"], one["store"]))
    return [*HEAD, *(line_of(one) for one in ordered)]


def written(text: str, results: Iterable[dict[str, Any]]) -> str:
    """The same text with this table between its marks."""
    return TABLE.sub(lambda match: f"{match[1]}{chr(10).join(lines_of(results))}\n{match[2]}", text)


def line_of(one: dict[str, Any]) -> str:
    if not one["ran"]:
        return (
            f"| {one['row']} | {one['title']} |" + " |" * (len(COLUMNS) - 3) + f" not here: {'; '.join(one['says'])} |"
        )
    verdict = "pass" if one["pass"] else "**FAIL**"
    columns = [
        *(one[name] for name in ("row", "title", "load", "store")),
        *(one[name] for name in ("lost", "doubled", "reordered", "holes", "misdelivered", "recovered_seconds")),
        f"{one['p50_ms']:.0f} / {one['p99_ms']:.0f} / {one['p999_ms']:.0f}",
        *(one[name] for name in ("messages", "sockets", "errors_shown")),
        f"{verdict}: {'; '.join(dict.fromkeys(one['says']))}",
    ]
    return "| " + " | ".join(str(column).replace("|", "/") for column in columns) + " |"
