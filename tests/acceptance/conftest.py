"""The stages of the fault matrix, shared by its cells and by the tests of the delivery contract."""

from collections.abc import Iterator

import pytest

from tests.acceptance.matrix.stages import Stages


@pytest.fixture(scope="session")
def stages() -> Iterator[Stages]:
    stages = Stages()
    yield stages
    stages.close_all()
