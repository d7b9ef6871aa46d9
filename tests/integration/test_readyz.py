"""`/readyz` with broken things under it: away, hung, only readable, behind, full, draining. `/healthz` touches none."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from chat.operations import readiness
from tests.support.databases import PostgresMaker
from tests.support.program import program
from tests.support.servers import PostgresServer, RedisServer

WITHIN = 5.0
"""Seconds that the contract allows between the database's going and the refusal."""


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """One that may be stopped and hung without harm to other tests."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


async def asked(base_url: str) -> tuple[int, dict[str, str], float]:
    began = time.monotonic()
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.get(f"{base_url}/readyz")
        alive = await http.get(f"{base_url}/healthz")
    assert (alive.status_code, alive.text) == (200, "ok")
    return answer.status_code, answer.json()["checks"], time.monotonic() - began


async def test_a_healthy_process_says_so_line_by_line(tmp_path: Path, database_url: str) -> None:
    async with program(tmp_path, database_url) as running:
        status, checks, _ = await asked(running.base_url)
        assert status == 200
        assert checks == dict.fromkeys(("database", "writable", "migrations", "disk", "draining", "bus"), "ok")


async def test_a_database_that_was_killed_or_hangs_is_seen_within_5_s_and_forgiven(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    async with program(tmp_path, PostgresMaker(own_server).make()) as running:
        assert (await asked(running.base_url))[0] == 200
        own_server.pause()
        try:
            status, checks, seconds = await asked(running.base_url)
            if status == 200:  # the answer of a second ago was still kept
                status, checks, seconds = await _refused(running.base_url)
        finally:
            own_server.resume()
        assert (status, checks["database"]) == (503, "away")
        assert seconds < WITHIN
        await _ready(running.base_url)
        own_server.kill()
        status, checks, _ = await _refused(running.base_url)
        assert (status, checks["database"]) == (503, "away")
        own_server.start()
        await _ready(running.base_url)


async def _refused(base_url: str) -> tuple[int, dict[str, str], float]:
    began = time.monotonic()
    while time.monotonic() - began < WITHIN:
        status, checks, _ = await asked(base_url)
        if status == 503:
            return status, checks, time.monotonic() - began
    raise AssertionError("still ready")


async def _ready(base_url: str) -> None:
    began = time.monotonic()
    while (await asked(base_url))[0] != 200:
        assert time.monotonic() - began < 30


def _cut_all(connection: "psycopg.Connection[Any]") -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}".encode())  # noqa: S608


async def test_a_database_that_is_only_readable_is_not_ready(tmp_path: Path, postgres_maker: PostgresMaker) -> None:
    url = postgres_maker.make()
    async with program(tmp_path, url) as running:
        name = url.rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
            _cut_all(connection)
        # Who takes no writes is not connected to at all.
        status, checks, _ = await _refused(running.base_url)
        assert (status, checks["database"], checks["writable"]) == (503, "away", "unknown")
        with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        await _ready(running.base_url)


async def test_behind_is_not_ready_and_ahead_is(tmp_path: Path) -> None:
    async with program(tmp_path) as running:

        async def stands_at(revision: str) -> None:
            async with running.desk.db.write() as session:
                connection = await session.connection()
                await connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))

        await stands_at("0001")
        status, checks, _ = await _refused(running.base_url)
        assert status == 503
        assert checks["migrations"].startswith("behind, at 0001 of ")
        await stands_at("9999")
        await _ready(running.base_url)


async def test_a_full_disk_refuses_where_the_database_lies_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_maker: PostgresMaker
) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    monkeypatch.setattr(readiness, "DISK_MARK", free * 2)
    (tmp_path / "a").mkdir()
    async with program(tmp_path / "a") as running:
        status, checks, _ = await asked(running.base_url)
        assert (status, checks["disk"]) == (503, "full")
    (tmp_path / "b").mkdir()
    async with program(tmp_path / "b", postgres_maker.make()) as running:
        status, checks, _ = await asked(running.base_url)
        assert (status, checks["disk"]) == (200, "degraded")


async def test_who_leaves_is_not_ready(tmp_path: Path) -> None:
    async with program(tmp_path) as running:
        await running.desk.retire()
        status, checks, _ = await asked(running.base_url)
        assert (status, checks["draining"]) == (503, "draining")


async def test_without_the_bus_it_is_degraded_and_ready(tmp_path: Path, postgres_maker: PostgresMaker) -> None:
    async with program(tmp_path, postgres_maker.make(), redis_url="redis://127.0.0.1:1/0") as running:
        status, checks, _ = await asked(running.base_url)
        assert (status, checks["bus"]) == (200, "degraded")


async def test_a_bus_that_hangs_or_dies_is_degraded_and_comes_back(
    tmp_path: Path, postgres_maker: PostgresMaker, own_redis: RedisServer
) -> None:
    async with program(tmp_path, postgres_maker.make(), redis_url=own_redis.url) as running:
        await _bus(running.base_url, "ok")
        own_redis.pause()
        try:
            await _bus(running.base_url, "degraded")
        finally:
            own_redis.resume()
        await _bus(running.base_url, "ok")
        own_redis.kill()
        await _bus(running.base_url, "degraded")
        own_redis.start()
        await _bus(running.base_url, "ok")


async def _bus(base_url: str, says: str) -> None:
    """Whatever it says, the process takes part."""
    began = time.monotonic()
    while True:
        status, checks, _ = await asked(base_url)
        assert status == 200
        if checks["bus"] == says:
            return
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.1)  # an answer has no event to wait for
