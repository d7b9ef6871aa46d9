"""A test that asks for `crowd` gets its module's `CROWDED`: filled once on each database, and copied for each test."""

from collections.abc import Iterator

import pytest

from tests.support.crowd import Crowd
from tests.support.databases import Filled, PostgresMaker, SqliteMaker


@pytest.fixture
def crowded(request: pytest.FixtureRequest, database_maker: SqliteMaker | PostgresMaker) -> Iterator[tuple[str, Crowd]]:
    filled: Filled[Crowd] = request.module.CROWDED
    url, crowd = filled.make(database_maker)
    yield url, crowd
    database_maker.discard(url)


@pytest.fixture
def crowd(crowded: tuple[str, Crowd]) -> Crowd:
    return crowded[1]


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_maker: SqliteMaker | PostgresMaker) -> Iterator[str]:
    if "crowd" in request.fixturenames:
        yield request.getfixturevalue("crowded")[0]
    else:
        url = database_maker.make()
        yield url
        database_maker.drop(url)
