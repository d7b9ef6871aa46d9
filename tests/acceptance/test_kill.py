"""Killed at random moments while many talk: what was acknowledged is stored once, and every view shows it once and in
order. On two servers with PostgreSQL and a Redis that goes and comes back, and on the demo's single SQLite file."""

import asyncio
import json
import random
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest

from tests.support.databases import PostgresMaker
from tests.support.demo import DemoProgram
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.views import View, begin, check

PAIRS = 3
KILLS = 3
Rows = dict[str, list[tuple[int, str]]]
QUERY = "SELECT conversation_id, seq, text FROM message WHERE stream = 'public' ORDER BY conversation_id, seq"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def demo() -> Iterator[DemoProgram]:
    program = DemoProgram()
    try:
        program.start()
        yield program
    finally:
        program.remove()


def rows_of(found: list[tuple[object, int, str]]) -> Rows:
    rows: Rows = {}
    for conversation, seq, text in found:
        rows.setdefault(str(UUID(str(conversation))), []).append((seq, text))
    return rows


@dataclass
class Crowd:
    """Visitors and the operators who answer them, a conversation for each pair."""

    visitors: list[View]
    operators: list[View]
    said: dict[str, list[str]] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)
    chance: random.Random = field(default_factory=lambda: random.Random(20261126))  # noqa: S311 — a story told again

    @property
    def views(self) -> list[View]:
        return [*self.visitors, *self.operators]

    def answering(self, visitor: View) -> View:
        return next(one for one in self.operators if one.conversation == visitor.conversation)

    async def meet(self) -> None:
        """One after the other, so that each pair has its conversation before anything is killed."""
        for visitor in self.visitors:
            await self._connected(visitor)
        for operator in self.operators:
            await operator.until(lambda operator=operator: operator.attended, "an operator attends")  # type: ignore[misc]
        for number, visitor in enumerate(self.visitors):
            first = f"words {number}"
            await begin(visitor, self.operators, first)
            self.said[visitor.conversation] = [first]

    async def _connected(self, view: View) -> None:
        await view.until(lambda: view.socket is not None, "connected")

    async def talk(self, count: int) -> None:
        for _ in range(count):
            for view in self.views:
                texts = self.said[view.conversation]
                texts.append(f"{view.conversation[-6:]} {len(texts)}")
                await view.say(texts[-1])

    async def until_random_moment(self) -> None:
        """Until some, never all, of what is under way was acknowledged."""
        view = self.chance.choice(self.views)
        left = self.chance.randrange(max(1, len(view.unsent)))
        await view.until(lambda: len(view.unsent) <= max(1, left), "a random moment")

    async def settled(self, what: str) -> None:
        for view in self.views:
            wanted = self.said[view.conversation]
            await view.until(
                lambda view=view, wanted=wanted: len(view.texts()) == len(wanted) and not view.unsent,  # type: ignore[misc]
                what,
            )

    def judge(self, rows: Rows) -> None:
        for visitor in self.visitors:
            check(visitor, self.answering(visitor), rows[visitor.conversation], self.said[visitor.conversation])


@asynccontextmanager
async def crowd(origin: str, addresses: list[str], sign_in_link: Callable[[int], str]) -> AsyncIterator[Crowd]:
    links = await asyncio.gather(*(asyncio.to_thread(sign_in_link, number) for number in range(PAIRS)))
    turned = [addresses[n % len(addresses) :] + addresses[: n % len(addresses)] for n in range(PAIRS)]
    people = Crowd(
        [View(origin, turned[n]) for n in range(PAIRS)], [View(origin, turned[n], link=links[n]) for n in range(PAIRS)]
    )
    living = [asyncio.create_task(view.live()) for view in people.views]
    try:
        await people.meet()
        yield people
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        for operator in people.operators:
            if operator.browser is not None:
                await operator.browser.aclose()


async def test_two_servers_killed_under_load_while_redis_goes_and_comes(
    postgres_maker: PostgresMaker, redis: RedisServer
) -> None:
    desk = Desk(postgres_maker.make(empty=True), redis.url)
    try:
        await asyncio.to_thread(desk.command, "migrate")
        site = ("site", "add", "--key", "polaris", "--name", "P", "--origin", "https://p.example")
        await asyncio.to_thread(desk.command, *site)
        servers = await asyncio.gather(*(asyncio.to_thread(desk.serve) for _ in range(2)))

        def link(number: int) -> str:
            names = ("--email", f"operator{number}@desk.example", "--name", f"Operator {number}", "--capacity", "1")
            return str(json.loads(desk.command("operator", "add", *names, "--json"))["sign_in"])

        async with crowd(desk.base_url, [server.base_url for server in servers], link) as people:
            for turn in range(KILLS):
                await people.talk(2)
                await people.until_random_moment()
                victim = people.chance.choice(servers)
                await asyncio.to_thread(victim.end, signal.SIGKILL)
                if turn == 1:
                    await asyncio.to_thread(redis.kill)
                await people.talk(1)
                if turn == 2:
                    await asyncio.to_thread(redis.start)
                await people.settled(f"all heard after kill {turn}")
                await asyncio.to_thread(victim.start)
        url = desk.environment()["NIGHTDESK_DATABASE_URL"]
        with psycopg.connect(url) as connection:
            people.judge(rows_of(connection.execute(QUERY).fetchall()))
    finally:
        await asyncio.to_thread(desk.remove)


async def test_the_single_process_on_sqlite_killed_under_load(demo: DemoProgram) -> None:
    def link(number: int) -> str:
        return demo.sign_in_link(f"Operator{number}", capacity="1")

    async with crowd(demo.origin, [demo.origin], link) as people:
        for turn in range(KILLS):
            await people.talk(2)
            await people.until_random_moment()
            await asyncio.to_thread(demo.kill)
            await people.talk(1)
            await asyncio.to_thread(demo.start)
            await people.settled(f"all heard after kill {turn}")
    with closing(sqlite3.connect(demo.folder / "demo" / "nightdesk.sqlite3")) as connection:
        people.judge(rows_of(connection.execute(QUERY).fetchall()))
