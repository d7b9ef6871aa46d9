"""`python -m tests.acceptance --matrix` breaks everything, one thing after the other, under load, and writes a table.

--short            few sockets and repeats, as the test run has time for
--rows 1,4,18      these rows only
--loads L1,L3      these loads only
--store sqlite     this store only
--json             the list of cells as JSON instead of the table
--results FILE     where cells are kept (build/matrix.jsonl); those that passed are not run again
--again            runs all of them again
"""

import argparse
import json
import sys
from pathlib import Path

from tests.acceptance.matrix.every_cell import EVERY_CELL
from tests.acceptance.matrix.running import Result, run
from tests.acceptance.matrix.scene import Cell
from tests.acceptance.matrix.stage import Stage
from tests.acceptance.matrix.table import Results, elsewhere, line_of, lines_of, written

README = Path(__file__).with_name("README.md")
STORES = ("sqlite", "postgresql")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--matrix", action="store_true", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rows", default="")
    parser.add_argument("--loads", default="")
    parser.add_argument("--store", choices=STORES)
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--results", type=Path, default=Path("build/matrix.jsonl"))
    asked = parser.parse_args()
    rows = {int(row) for row in asked.rows.split(",") if row}
    loads = {load for load in asked.loads.split(",") if load}
    results = Results(asked.results)
    wanted = [
        cell
        for cell in EVERY_CELL
        if (not rows or cell.row in rows)
        and (not loads or cell.load in loads)
        and asked.store in (None, cell.store)
        and (asked.again or not has_passed(results, cell, short=asked.short))
    ]
    print(f"seed {asked.seed}, {len(wanted)} cells", file=sys.stderr, flush=True)
    for store in STORES:
        run_store(store, [cell for cell in wanted if cell.store == store], results, short=asked.short, seed=asked.seed)
    shown = [
        one
        for one in (*results.found.values(), *elsewhere(short=asked.short))
        if one["short"] == asked.short and (not rows or one["row"] in rows)
    ]
    print(json.dumps(shown, indent=1) if asked.json else "\n".join(lines_of(shown)))
    if asked.write:
        README.write_text(written(README.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return 0 if all(one["pass"] for one in shown) else 1


def has_passed(results: Results, cell: Cell, *, short: bool) -> bool:
    found = results.found.get((cell.row, cell.fault.__name__, cell.load, cell.store, short))
    return found is not None and found["pass"]


def run_store(store: str, cells: list[Cell], results: Results, *, short: bool, seed: int) -> None:
    """One set of servers; after a cell that broke it the next gets fresh ones."""
    stage: Stage | None = None
    try:
        for cell in cells:
            if stage is None:
                stage = Stage(store, short, seed)
                stage.start()
            result = run(cell, stage)
            results.add(result)
            print(line_of(result.as_json()), file=sys.stderr, flush=True)
            if is_broken(result):
                stage.close()
                stage = None
    finally:
        if stage is not None:
            stage.close()


def is_broken(result: Result) -> bool:
    return not result.passed and result.recovered_seconds is None


if __name__ == "__main__":
    sys.exit(main())
