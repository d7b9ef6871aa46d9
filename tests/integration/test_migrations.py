"""The history brings an empty database to what the models say, on both databases; autogenerate finds nothing to do."""

from datetime import datetime

from alembic import command
from sqlalchemy import text

from chat.db import Database
from chat.migrations import schema


async def test_head_is_what_the_models_say(empty_database_url: str) -> None:
    db = Database(empty_database_url)
    assert await schema.migrate(db)
    current, head = await schema.standing(db)
    assert current == head
    assert await schema.differences(db) == []
    assert not await schema.migrate(db)
    await db.close()


async def test_clocks_that_ran_before_policies_run_on(empty_database_url: str) -> None:
    """From the first tables with a running clock in them to head: it has a breach and a next step."""
    db = Database(empty_database_url)
    async with db.engine.connect() as connection:
        await connection.run_sync(lambda found: command.upgrade(schema._config(found), "0001"))
        await connection.execute(
            text(
                "INSERT INTO sla_clock (id, subject_kind, subject_id, metric, instance, target_seconds, started_at,"
                " due_at, state) VALUES (:id, 'ticket', :id, 'first_reply', 1, 600, :start, :due, 'running')"
            ),
            {"id": "0" * 32, "start": datetime(2026, 11, 25, 20), "due": datetime(2026, 11, 25, 20, 10)},  # noqa: DTZ001
        )
        await connection.commit()
    assert await schema.migrate(db)
    async with db.engine.connect() as connection:
        row = (await connection.execute(text("SELECT due_at = breach_at, next_at = started_at FROM sla_clock"))).one()
    assert tuple(bool(value) for value in row) == (True, True)
    await db.close()
