"""One stage per store for a whole run of tests, and what its cells gave."""

from tests.acceptance.matrix.every_cell import EVERY_CELL
from tests.acceptance.matrix.running import Result, run
from tests.acceptance.matrix.scene import Cell, Fault
from tests.acceptance.matrix.stage import Stage


class Stages:
    """Each cell is run once, by whoever asks for it first. One that broke its stage leaves a fresh one to the next."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}
        self._results: dict[str, Result] = {}

    def result(self, cell: Cell) -> Result:
        if cell.name not in self._results:
            self._results[cell.name] = result = run(cell, self.stage(cell.store))
            if not result.passed:
                self.close(cell.store)
        return self._results[cell.name]

    def of(self, fault: Fault, store: str) -> Result:
        """Of the first cell with this fault on this store."""
        return self.result(next(cell for cell in EVERY_CELL if cell.fault is fault and cell.store == store))

    def stage(self, store: str) -> Stage:
        if store not in self._stages:
            self._stages[store] = stage = Stage(store, short=True)
            stage.start()
        return self._stages[store]

    def close(self, store: str) -> None:
        self._stages.pop(store).close()

    def close_all(self) -> None:
        for store in list(self._stages):
            self.close(store)
