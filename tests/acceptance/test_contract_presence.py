"""The contract's ninth sentence: presence is true. Nobody who is gone is shown online for longer than 30 s, nobody
present offline for longer than 5 s, and no conversation waits for a vanished operator for longer than 60 s."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx2
import psycopg
import pytest

from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.program import Client, Frame, Running, program
from tests.support.servers import RedisServer
from tests.support.serving import Desk, Process

GHOST_SECONDS = 30
BACK_SECONDS = 5
VANISHED_SECONDS = 60


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis_server: RedisServer) -> AsyncIterator[Desk]:
    desk = Desk(postgres_maker.make(), redis_server.url)
    try:
        await asyncio.to_thread(desk.prepare)
        yield desk
    finally:
        await asyncio.to_thread(desk.remove)


@dataclass
class Hub:
    """What a client needs to know of a process."""

    desk: Desk
    process: Process
    clients: list[Client] = field(default_factory=list)
    browsers: list[httpx2.AsyncClient] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return self.process.base_url

    async def visitor(self) -> Client:
        client = await self._socket("/w/polaris/socket")
        await client.send("hello", site="polaris")
        await client.until("welcomed")
        return client

    async def sign_in(self, name: str) -> httpx2.AsyncClient:
        link = await asyncio.to_thread(self.desk.sign_in_link, name)
        browser = httpx2.AsyncClient(base_url=self.base_url, headers={"Sec-Fetch-Site": "same-origin"})
        self.browsers.append(browser)
        await browser.post(f"/console/sign-in/{link.rpartition('/')[2]}")
        return browser

    async def console(self, browser: httpx2.AsyncClient) -> Client:
        socket_pass = (await browser.post("/console/socket-pass")).json()["socket_pass"]
        client = await self._socket("/console/socket")
        await client.send("attend", socket_pass=socket_pass)
        await client.until("attended")
        return client

    async def _socket(self, path: str) -> Client:
        return await Client.connect(cast("Running", self), path, origin=self.desk.base_url)

    async def leave(self) -> None:
        for client in self.clients:
            await client.leave()
        for browser in self.browsers:
            await browser.aclose()


@pytest.fixture
async def hubs(desk: Desk) -> AsyncIterator[list[Hub]]:
    found = [Hub(desk, process) for process in await asyncio.gather(*(asyncio.to_thread(desk.serve) for _ in range(3)))]
    yield found
    for hub in found:
        await hub.leave()


def online(count: int) -> Any:
    return lambda frame: frame["staff"].get("online", 0) == count


def happened(name: str) -> Any:
    return lambda frame: any(entry.get("event") == name for entry in frame["entries"])


def viewers(frame: Frame) -> list[str]:
    return [person["name"] for person in frame.get("operators", [])]


async def test_one_server_is_killed_and_one_sleeps_beside_a_third(desk: Desk, hubs: list[Hub]) -> None:
    """Omar's server is killed, Luka's sleeps, Nika's and Ann's lives: it tells them the truth."""
    killed, asleep, awake = hubs
    omar = await killed.console(await killed.sign_in("Omar"))
    ann = await awake.visitor()
    await ann.begin("Hello there")
    await omar.until("offered")
    await omar.send("open", conversation=ann.conversation)
    await ann.until("said", happened("assigned"))
    lukas = await asleep.sign_in("Luka")
    luka = await asleep.console(lukas)
    nika = await awake.console(await awake.sign_in("Nika"))
    await ann.until("staffed", online(3), seconds=BACK_SECONDS)
    await nika.send("open", conversation=ann.conversation)
    await nika.until("viewed", lambda frame: viewers(frame) == ["Omar"])

    await asyncio.to_thread(killed.process.end, signal.SIGKILL)
    asleep.process.send(signal.SIGSTOP)
    try:
        async with asyncio.TaskGroup() as together:
            together.create_task(nika.until("viewed", lambda frame: viewers(frame) == [], seconds=GHOST_SECONDS))
            await ann.until("staffed", online(1), seconds=GHOST_SECONDS)
    finally:
        asleep.process.send(signal.SIGCONT)
    assert await luka.close_code() == 4000
    await asleep.console(lukas)
    await ann.until("staffed", online(2), seconds=BACK_SECONDS)
    await ann.until("said", happened("returned"), seconds=VANISHED_SECONDS - GHOST_SECONDS)

    with psycopg.connect(desk.environment()["NIGHTDESK_DATABASE_URL"]) as connection:
        epochs = connection.execute("SELECT id FROM process").fetchall()
        present = connection.execute(
            "SELECT operator.name, presence.process_id FROM presence JOIN operator ON operator.id = operator_id"
        ).fetchall()
    assert len(epochs) == 2
    assert sorted(name for name, _ in present) == ["Luka", "Nika"]
    assert {UUID(str(epoch)) for _, epoch in present} == {UUID(str(epoch)) for (epoch,) in epochs}


@pytest.fixture
async def alone(tmp_path: Path, sqlite_maker: SqliteMaker) -> AsyncIterator[Running]:
    async with program(tmp_path, sqlite_maker.make(), vanished_seconds=2) as running:
        yield running


async def test_alone_on_sqlite_who_comes_goes_and_comes_back_is_shown_so(alone: Running) -> None:
    operator = await alone.operator("Omar")
    omar = await alone.console(operator)
    ann = await alone.visitor_who_said("Hello there")
    await omar.until("offered")
    await omar.send("open", conversation=ann.conversation)
    await ann.until("said", happened("assigned"))
    await omar.leave()
    await ann.until("staffed", online(0), seconds=BACK_SECONDS)
    await ann.until("said", happened("returned"))
    omar = await alone.console(operator)
    await ann.until("staffed", online(1), seconds=BACK_SECONDS)
    await omar.until("offered", lambda frame: frame["conversation"] == ann.conversation)


async def test_alone_on_sqlite_a_console_on_a_dead_line_is_not_shown_for_long(alone: Running) -> None:
    """The line is there, but nothing comes from the other side any more, as when a laptop is shut."""
    omar = await alone.console(await alone.operator("Omar"))
    ann = await alone.visitor()
    assert ann.welcomed["staff"]["online"] == 1
    omar.stop_answering()
    await ann.until("staffed", online(0), seconds=GHOST_SECONDS)
