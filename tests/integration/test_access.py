"""Access ends at once, over HTTP and sockets, in every process: three on one database, with a bus and without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from chat.conversations.models import Conversation
from chat.db import table_of
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.people.models import Operator
from chat.people.operators import Operators
from chat.protocol.closing import Closing
from tests.support.program import Client, Running, program

ENDED = Closing.ACCESS_ENDED.code
AT_ONCE = 2.0


@pytest.fixture(params=["a bus", "no bus"])
async def desks(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> AsyncIterator[list[Running]]:
    """Three processes. Without a bus none hears of another, as while Redis is away."""
    broker = MemoryBroker()
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(
                program(tmp_path, database_url, MemoryBus(broker if request.param == "a bus" else MemoryBroker()))
            )
            for _ in range(3)
        ]
        for one in found:
            one.site_key = found[0].site_key
        yield found


async def consoles_of(desks: list[Running], operator: Operator) -> list[Client]:
    return [await desk.console(operator) for desk in desks]


def operators_of(desk: Running) -> Operators:
    return Operators(desk.desk.db, desk.desk.clock, desk.desk.sign_in.passwords)


async def all_closed(consoles: list[Client]) -> None:
    codes = await asyncio.gather(*(console.close_code(seconds=AT_ONCE) for console in consoles))
    assert codes == [ENDED] * len(consoles)


async def nobody_comes_in(desks: list[Running], consoles: list[Client]) -> None:
    for desk, console in zip(desks, consoles, strict=True):
        assert console.browser is not None
        assert (await console.browser.get("/console/inbox.json")).status_code == 401
        assert (await console.browser.post("/console/socket-pass")).status_code == 401
        assert (await console.browser.get("/desk/tickets")).status_code in (303, 401)
        late = await Client.connect(desk, "/console/socket")
        await late.send("attend", socket_pass="made-up")
        assert await late.close_code() == ENDED


async def test_an_operator_who_is_deactivated_is_out_everywhere_and_their_visitor_is_not_left_alone(
    desks: list[Running],
) -> None:
    omar = await desks[0].operator("Omar", departments=["technical"])
    consoles = await consoles_of(desks, omar)
    ann = await desks[1].visitor_who_said("Hello there")
    for console in consoles:
        await console.until("offered")
    await consoles[2].send("open", conversation=ann.conversation)
    await consoles[2].until("paged")
    unused = (await consoles[0].browser.post("/console/socket-pass")).json()["socket_pass"]  # type: ignore[union-attr]
    await operators_of(desks[0]).set_active(omar.id, active=False)
    await all_closed(consoles)
    await nobody_comes_in(desks, consoles)
    mallory = await Client.connect(desks[1], "/console/socket")
    await mallory.send("attend", socket_pass=unused)
    assert await mallory.close_code() == ENDED
    await ann.until("said", lambda frame: frame["entries"][-1].get("event") == "queued")
    await ann.say("secret-word")
    assert "secret-word" not in str([console.frames for console in consoles])


async def test_another_role_signs_out_everywhere(desks: list[Running]) -> None:
    omar = await desks[0].operator("Omar", role="supervisor")
    consoles = await consoles_of(desks, omar)
    await operators_of(desks[0]).set_role(omar.id, "operator")
    await all_closed(consoles)
    await nobody_comes_in(desks, consoles)


async def test_a_role_that_was_changed_by_hand_closes_sockets_too(desks: list[Running]) -> None:
    omar = await desks[0].operator("Omar", role="supervisor")
    consoles = await consoles_of(desks, omar)
    rows = table_of(Operator)
    async with desks[0].desk.db.write() as session:
        await session.execute(update(rows).where(rows.c.id == omar.id).values(role="operator"))
    await all_closed(consoles)


async def test_signing_out_ends_this_sign_in_in_every_process_and_no_other(desks: list[Running]) -> None:
    omar = await desks[0].operator("Omar")
    browser = await desks[0].signed_in(omar)
    consoles = []
    for desk in desks:
        socket_pass = (await browser.post("/console/socket-pass")).json()["socket_pass"]
        client = await Client.connect(desk, "/console/socket")
        await client.send("attend", socket_pass=socket_pass)
        await client.until("attended")
        consoles.append(client)
    elsewhere = await desks[1].console(omar)
    await browser.post("/console/sign-out")
    await all_closed(consoles)
    await elsewhere.send("take", ref="ref-00000001")
    assert (await elsewhere.until("refused"))["code"] == "nothing-waiting"
    await browser.aclose()


async def test_a_visitors_access_that_was_ended_closes_their_widgets_and_the_token_is_nobodys(
    desks: list[Running],
) -> None:
    ann = await desks[0].visitor_who_said("secret-word")
    tabs = [ann, *[await desk.visitor(token=ann.token) for desk in desks[1:]]]
    assert all(tab.welcomed["known"] for tab in tabs[1:])
    other = await desks[1].visitor_who_said("Hello")
    async with desks[0].desk.db.read() as session:
        rows = table_of(Conversation)
        statement = select(rows.c.visitor_id).where(rows.c.id == UUID(ann.conversation))
        visitor_id = (await session.execute(statement)).scalar_one()
    assert await desks[0].desk.visitors.end_access(visitor_id)
    assert not await desks[0].desk.visitors.end_access(visitor_id)
    await all_closed(tabs)
    for desk in desks:
        mallory = await desk.visitor(token=ann.token)
        assert not mallory.welcomed["known"]
        await mallory.send("say", conversation=ann.conversation, ref="ref-00000001", text="still here?")
        assert (await mallory.until("refused"))["code"] == "unknown-conversation"
        assert "secret-word" not in str(mallory.frames)
    await other.say("and I am here")
