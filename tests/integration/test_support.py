"""The servers of the tests themselves: both databases are fresh and full, both buses speak."""

import asyncio
from collections.abc import Callable

from sqlalchemy import inspect

from chat.db import Database, metadata
from chat.hub.bus import Bus


async def test_a_fresh_database_has_all_tables(db: Database) -> None:
    async with db.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(names) - {"alembic_version"} == set(metadata.tables)


async def test_two_buses_of_one_test_hear_each_other(make_bus: Callable[[], Bus]) -> None:
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    here, there = make_bus(), make_bus()
    subscribed = asyncio.Event()

    async def keep_telling() -> None:
        # A subscription has no receipt on the bus, so the first hint may come too early.
        while not subscribed.is_set():
            here.publish("conversation:1", b"look")
            await asyncio.sleep(0.01)

    await here.start(lambda _topic, _payload: None, lambda: None)
    await there.start(lambda topic, payload: heard.put_nowait((topic, payload)), lambda: None)
    there.follow("conversation:1")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(keep_telling())
        assert await heard.get() == ("conversation:1", b"look")
        subscribed.set()
    await here.stop()
    await there.stop()
