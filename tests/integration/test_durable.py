"""Killed in the middle of its work: what was acknowledged is there, once, under its number."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from chat.db import Database
from tests.support.steps import ROOT
from tests.support.talker import rows_of


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    db = Database(url)
    try:
        yield db
    finally:
        await db.close()


def said_until_killed(url: str, wanted: int) -> list[list[str]]:
    """The words of each line that it told whole."""
    sayer = subprocess.Popen(
        [sys.executable, "-m", "tests.support.sayer", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with sayer:
        assert sayer.stdout is not None
        told = [sayer.stdout.readline() for _ in range(wanted)]
        sayer.kill()
        told += sayer.stdout.readlines()
    return [line.split() for line in told if line.startswith("said ") and line.endswith("\n")]


@pytest.mark.parametrize("chance", [1, 2, 3])
async def test_contract_01_acknowledged_is_durable(database_url: str, chance: int) -> None:
    wanted = random.Random(chance).randrange(100, 1500)  # noqa: S311 — a story told again
    lines = await asyncio.to_thread(said_until_killed, database_url, wanted)
    assert len(lines) > wanted - 10
    async with opened(database_url) as db:
        rows = await rows_of(db, UUID(lines[0][1]))
    assert {ref: rows.get(ref) for _, _, ref, _ in lines} == {ref: int(seq) for _, _, ref, seq in lines}
    assert sorted(rows.values()) == list(range(3, 3 + len(rows)))
