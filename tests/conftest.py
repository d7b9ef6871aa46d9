"""Fixtures of all layers. Servers start only for the tests that ask for them, once per run."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import pytest
import structlog

from chat.db import Database
from chat.hub.bus import Bus
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.hub.redis_bus import RedisBus
from chat.logs import harmless_exceptions, without_secrets
from chat.people import operators
from tests.support.clock import FakeClock
from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.nightdesk import fork_from_now_on
from tests.support.servers import PostgresServer, RedisServer
from tests.support.statements import compile_once

REAL_PASSWORDS = (operators.MEMORY_KIB, operators.ROUNDS)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """As the program writes them; without this a terminal's tracebacks, with all values, would be drawn for seconds."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            harmless_exceptions,
            without_secrets,
            structlog.dev.ConsoleRenderer(colors=False),
        ]
    )


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    fork_from_now_on()


@pytest.fixture(scope="session", autouse=True)
def _certificates(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody out there is believed, and so nobody's certificates are read: a hundred and fifty for each client."""
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(tmp_path_factory.mktemp("nobody"))


@pytest.fixture(scope="session", autouse=True)
def _passwords() -> Iterator[None]:
    """Hashed as always, with less memory and in one round: a test whose subject they are asks for `real_passwords`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, "MEMORY_KIB", 64)
        patch.setattr(operators, "ROUNDS", 1)
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "MEMORY_KIB", REAL_PASSWORDS[0])
    monkeypatch.setattr(operators, "ROUNDS", REAL_PASSWORDS[1])


@pytest.fixture(scope="session", autouse=True)
def _statements() -> None:
    compile_once()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_maker(tmp_path_factory: pytest.TempPathFactory) -> SqliteMaker:
    return SqliteMaker(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_maker(postgres_server: PostgresServer) -> PostgresMaker:
    return PostgresMaker(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_maker(request: pytest.FixtureRequest) -> SqliteMaker | PostgresMaker:
    """One after the other, so that a test that asks for it runs on both databases."""
    maker: SqliteMaker | PostgresMaker = request.getfixturevalue(
        "sqlite_maker" if request.param == "sqlite" else "postgres_maker"
    )
    return maker


@pytest.fixture
def database_url(database_maker: SqliteMaker | PostgresMaker) -> Iterator[str]:
    """A fresh database with all tables."""
    url = database_maker.make()
    yield url
    database_maker.drop(url)


@pytest.fixture
def empty_database_url(database_maker: SqliteMaker | PostgresMaker) -> str:
    """A fresh database without tables, for migrations."""
    return database_maker.make(empty=True)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_db(sqlite_maker: SqliteMaker) -> AsyncIterator[Database]:
    """For tests whose subject is not the database."""
    database = Database(sqlite_maker.make())
    yield database
    await database.close()
    sqlite_maker.drop(database.url)


@pytest.fixture(params=["memory", "redis"])
def make_bus(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    """Each call gives the bus of one more process; all of one test hear each other. The caller starts and stops it."""
    if request.param == "memory":
        broker = MemoryBroker()
        return lambda: MemoryBus(broker, "a key for tests")
    server: RedisServer = request.getfixturevalue("redis_server")
    prefix = f"{uuid4().hex}:"
    return lambda: RedisBus(server.url, "a key for tests", prefix=prefix)


@pytest.fixture
def bus(make_bus: Callable[[], Bus]) -> Bus:
    return make_bus()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
