"""A short cell of each row of the fault matrix. All of a store follow each other on one set of servers and one load:
`python -m tests.acceptance --matrix` runs them in full, and more of them."""

import pytest

from tests.acceptance.matrix.every_cell import EVERY_CELL
from tests.acceptance.matrix.scene import Cell
from tests.acceptance.matrix.stages import Stages

SHORT_CELLS = [
    cell for store in ("sqlite", "postgresql") for cell in EVERY_CELL if cell.in_short and cell.store == store
]


@pytest.mark.parametrize("cell", SHORT_CELLS, ids=lambda cell: str(cell.name))
def test_nothing_is_lost_doubled_reordered_or_misdelivered(cell: Cell, stages: Stages) -> None:
    result = stages.result(cell)
    assert result.passed, result.why
