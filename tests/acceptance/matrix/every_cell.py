"""All cells of the fault matrix, and the rows that are not produced here, with the reason."""

from tests.acceptance.matrix import postgresql_faults, processes, redis_faults
from tests.acceptance.matrix.scene import Cell

EVERY_CELL: list[Cell] = sorted(
    [*processes.CELLS, *redis_faults.CELLS, *postgresql_faults.CELLS], key=lambda cell: cell.row
)

ELSEWHERE = {
    21: "mail comes with the issue of mail",
    22: "webhooks come with the issue of webhooks",
}
