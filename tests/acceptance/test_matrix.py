"""A short cell of each row of the fault matrix. All of a store follow each other on one set of servers and one load:
`python -m tests.acceptance --matrix` runs them in full."""

from collections.abc import Iterator

import pytest

from tests.acceptance.matrix.every_cell import EVERY_CELL
from tests.acceptance.matrix.running import Result, run
from tests.acceptance.matrix.scene import Cell
from tests.acceptance.matrix.stage import Stage

SHORT_CELLS = [
    cell for store in ("sqlite", "postgresql") for cell in EVERY_CELL if cell.in_short and cell.store == store
]


class Stages:
    """One per store; a cell that broke its stage leaves a fresh one to the next."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}

    def run(self, cell: Cell) -> Result:
        if cell.store not in self._stages:
            self._stages[cell.store] = stage = Stage(cell.store, short=True)
            stage.start()
        result = run(cell, self._stages[cell.store])
        if not result.passed:
            self.close(cell.store)
        return result

    def close(self, store: str) -> None:
        self._stages.pop(store).close()

    def close_all(self) -> None:
        for store in list(self._stages):
            self.close(store)


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    stages = Stages()
    yield stages
    stages.close_all()


@pytest.mark.parametrize("cell", SHORT_CELLS, ids=lambda cell: cell.name)
def test_nothing_is_lost_doubled_reordered_or_misdelivered(cell: Cell, stages: Stages) -> None:
    result = stages.run(cell)
    assert result.passed, result.why
