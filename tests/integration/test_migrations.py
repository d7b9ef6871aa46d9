"""The history brings an empty database to what the models say, on both databases; autogenerate finds nothing to do."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import uuid4

from alembic import command
from sqlalchemy import MetaData, Uuid, text
from sqlmodel import select

from chat.db import Database, UTCDateTime
from chat.migrations import schema
from escalation.models import Ticket
from escalation.queue import place_of
from tests.support.databases import PostgresMaker


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


async def test_tickets_that_were_there_before_the_list_stand_in_their_places(empty_database_url: str) -> None:
    """More than are filled at once; a program of today changes no place when it writes the row again."""
    db = Database(empty_database_url)
    now = datetime(2026, 11, 25, 20, tzinfo=UTC)
    async with db.engine.connect() as connection:
        await connection.run_sync(lambda found: schema.upgrade(found, "0005"))
        tables = MetaData()
        await connection.run_sync(tables.reflect, only=["department", "ticket"])
        department = uuid4()
        kinds = {"department_id": Uuid(), "id": Uuid()}
        for table in tables.tables.values():
            for name, kind in kinds.items():
                if name in table.c:
                    table.c[name].type = kind
            for column in table.c:
                if column.name.endswith(("_at", "_since")):
                    column.type = UTCDateTime()
        await connection.execute(
            tables.tables["department"].insert(), {"id": department, "slug": "technical", "names": {}, "position": 0}
        )
        texts = (
            "number", "site_name", "contact_channel", "subject", "locale", "requester_name", "requester_email",
            "verify_method", "service_label", "started_raw", "started_zone", "started_certainty",
        )  # fmt: skip
        numbers = (
            "verify_level", "last_seq", "last_customer_seq", "last_operator_seq", "last_event_seq", "version",
        )  # fmt: skip
        rows: list[dict[str, Any]] = [
            dict.fromkeys(texts, "") | dict.fromkeys(numbers, 0)
            | {
                "id": uuid4(), "number": f"T-{n}", "department_id": department, "priority": n % 2, "state": state,
                "open": state not in ("solved", "closed"), "operators_turn": n % 3 > 0, "environment": {},
                "waiting_since": now if n % 5 else None, "due_at": now + timedelta(seconds=n) if n % 7 else None,
                "created_at": now, "changed_at": now + timedelta(microseconds=n),
            }
            for n, state in zip(range(1003), cycle(("new", "open", "waiting_customer", "solved", "closed")))
        ]  # fmt: skip
        await connection.execute(tables.tables["ticket"].insert(), rows)
        await connection.commit()
    assert await schema.migrate(db)
    async with db.read() as session:
        assert [one.number for one in await session.exec(select(Ticket)) if one.place != place_of(one)] == []
    await db.close()


async def test_two_programs_that_start_at_once_migrate_one_after_the_other(empty_database_url: str) -> None:
    both = [Database(empty_database_url) for _ in range(2)]
    async with both[0].engine.connect() as connection:
        await connection.run_sync(lambda found: schema.upgrade(found, "0001"))
        await connection.commit()
    assert sorted(await asyncio.gather(*(schema.migrate(db) for db in both))) == [False, True]
    current, head = await schema.standing(both[0])
    assert current == head
    for db in both:
        await db.close()


async def test_a_migration_may_take_long_and_waits_for_locks_as_long_as_others_do(
    postgres_maker: PostgresMaker,
) -> None:
    db = Database(postgres_maker.make(empty=True))
    async with db.engine.connect() as connection:
        for statement in (
            "CREATE TABLE seen (took text, waited text)",
            """CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (current_setting('statement_timeout'), current_setting('lock_timeout')); END $$""",
            "CREATE EVENT TRIGGER look ON ddl_command_start EXECUTE FUNCTION look()",
        ):
            await connection.execute(text(statement))
        await connection.commit()
    assert await schema.migrate(db)
    async with db.read() as session:
        seen = (await session.execute(text("SELECT DISTINCT took, waited FROM seen"))).all()
        now = (await session.execute(text("SHOW statement_timeout"))).scalar_one()
    assert [tuple(row) for row in seen] == [("0", "3s")]
    assert now == "5s"
    await db.close()


async def test_a_database_of_a_newer_program_is_left_as_it_is(empty_database_url: str) -> None:
    """Both versions run while one follows the other, and after going back."""
    db = Database(empty_database_url)
    await schema.migrate(db)
    async with db.engine.connect() as connection:
        await connection.execute(text("ALTER TABLE message ADD COLUMN of_tomorrow text"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.commit()
    assert not await schema.migrate(db)
    assert (await schema.standing(db))[0] == "9999"
    assert not schema.is_behind("9999")
    await db.close()


def test_what_is_behind_is_known() -> None:
    head, *earlier = schema.history()
    assert schema.is_behind(None)
    assert all(schema.is_behind(one) for one in earlier)
    assert not schema.is_behind(head)
