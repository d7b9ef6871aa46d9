"""The contract's twelfth sentence: access ends at once. Sign-out, deactivation and another role close live sockets
within two seconds, five while the bus is away, and stop every later read over HTTP and sockets, in every process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from chat.conversations.models import Conversation
from chat.db import table_of
from chat.hub.redis_bus import RedisBus
from chat.people.models import Operator
from chat.people.operators import Operators
from chat.protocol.closing import Closing
from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.program import Client, Running, program
from tests.support.servers import RedisServer

ENDED = Closing.ACCESS_ENDED.code


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    """To be stopped."""
    with RedisServer() as server:
        yield server


@dataclass
class Desks:
    """Processes of one desk, and within how many seconds access ends in each of them."""

    all: list[Running]
    within: float
    redis: RedisServer | None = None

    @property
    def first(self) -> Running:
        return self.all[0]

    @property
    def last(self) -> Running:
        return self.all[-1]

    @property
    def operators(self) -> Operators:
        desk = self.first.desk
        return Operators(desk.db, desk.clock, desk.sign_in.passwords)

    async def consoles(self, operator: Operator) -> list[Client]:
        return [await one.console(operator) for one in self.all]

    def lose_the_bus(self) -> None:
        if self.redis is not None:
            self.redis.pause()

    async def all_closed(self, clients: list[Client]) -> None:
        codes = await asyncio.gather(*(client.close_code(seconds=self.within) for client in clients))
        assert codes == [ENDED] * len(clients)


@pytest.fixture(params=["one process on SQLite", "three on PostgreSQL and Redis", "three while Redis hangs"])
async def desks(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    sqlite_maker: SqliteMaker,
    postgres_maker: PostgresMaker,
    own_redis: RedisServer,
) -> AsyncIterator[Desks]:
    async with AsyncExitStack() as stack:
        if request.param == "one process on SQLite":
            alone = await stack.enter_async_context(program(tmp_path, sqlite_maker.make()))
            yield Desks([alone], within=2)
            return
        url, prefix = postgres_maker.make(), f"{uuid4().hex}:"
        found = [
            await stack.enter_async_context(program(tmp_path, url, RedisBus(own_redis.url, "a key", prefix=prefix)))
            for _ in range(3)
        ]
        for one in found:
            one.site_key = found[0].site_key
        hangs = request.param == "three while Redis hangs"
        yield Desks(found, 5 if hangs else 2, own_redis if hangs else None)
        own_redis.resume()


async def nobody_comes_in(consoles: list[Client]) -> None:
    for console in consoles:
        assert console.browser is not None
        assert (await console.browser.get("/console/inbox.json")).status_code == 401
        assert (await console.browser.post("/console/socket-pass")).status_code == 401
        assert (await console.browser.get("/desk/tickets")).status_code in (303, 401)


async def test_an_operator_who_is_deactivated_is_out_everywhere_and_their_visitor_is_not_left_alone(
    desks: Desks,
) -> None:
    omar = await desks.first.operator("Omar", departments=["technical"])
    consoles = await desks.consoles(omar)
    ann = await desks.last.visitor_who_said("Hello there")
    for console in consoles:
        await console.until("offered")
    await consoles[-1].send("open", conversation=ann.conversation)
    await consoles[-1].until("paged")
    unused = (await consoles[0].browser.post("/console/socket-pass")).json()["socket_pass"]  # type: ignore[union-attr]
    desks.lose_the_bus()
    await desks.operators.set_active(omar.id, active=False)
    await desks.all_closed(consoles)
    await nobody_comes_in(consoles)
    mallory = await Client.connect(desks.last, "/console/socket")
    await mallory.send("attend", socket_pass=unused)
    assert await mallory.close_code() == ENDED
    await ann.until("said", lambda frame: frame["entries"][-1].get("event") == "queued")
    await ann.say("secret-word")
    assert "secret-word" not in str([console.frames for console in consoles])


async def test_another_role_signs_out_everywhere(desks: Desks) -> None:
    omar = await desks.first.operator("Omar", role="supervisor")
    consoles = await desks.consoles(omar)
    desks.lose_the_bus()
    await desks.operators.set_role(omar.id, "operator")
    await desks.all_closed(consoles)
    await nobody_comes_in(consoles)


async def test_a_role_that_was_changed_by_hand_closes_sockets_too(desks: Desks) -> None:
    omar = await desks.first.operator("Omar", role="supervisor")
    consoles = await desks.consoles(omar)
    rows = table_of(Operator)
    async with desks.first.desk.db.write() as session:
        await session.execute(update(rows).where(rows.c.id == omar.id).values(role="operator"))
    await desks.all_closed(consoles)


async def test_signing_out_ends_this_sign_in_in_every_process_and_no_other(desks: Desks) -> None:
    omar = await desks.first.operator("Omar")
    browser = await desks.first.signed_in(omar)
    consoles = []
    for desk in desks.all:
        socket_pass = (await browser.post("/console/socket-pass")).json()["socket_pass"]
        client = await Client.connect(desk, "/console/socket")
        await client.send("attend", socket_pass=socket_pass)
        await client.until("attended")
        consoles.append(client)
    elsewhere = await desks.last.console(omar)
    desks.lose_the_bus()
    await browser.post("/console/sign-out")
    await desks.all_closed(consoles)
    await elsewhere.send("take", ref="ref-00000001")
    assert (await elsewhere.until("refused"))["code"] == "nothing-waiting"
    await browser.aclose()


async def test_a_visitors_access_that_was_ended_closes_their_widgets_and_the_token_is_nobodys(
    desks: Desks,
) -> None:
    ann = await desks.first.visitor_who_said("secret-word")
    tabs = [ann, *[await desk.visitor(token=ann.token) for desk in desks.all[1:]]]
    assert all(tab.welcomed["known"] for tab in tabs[1:])
    other = await desks.last.visitor_who_said("Hello")
    async with desks.first.desk.db.read() as session:
        rows = table_of(Conversation)
        statement = select(rows.c.visitor_id).where(rows.c.id == UUID(ann.conversation))
        visitor_id = (await session.execute(statement)).scalar_one()
    desks.lose_the_bus()
    assert await desks.first.desk.visitors.end_access(visitor_id)
    assert not await desks.first.desk.visitors.end_access(visitor_id)
    await desks.all_closed(tabs)
    for desk in desks.all:
        mallory = await desk.visitor(token=ann.token)
        assert not mallory.welcomed["known"]
        await mallory.send("say", conversation=ann.conversation, ref="ref-00000001", text="still here?")
        assert (await mallory.until("refused"))["code"] == "unknown-conversation"
        assert "secret-word" not in str(mallory.frames)
    await other.say("and I am here")
