"""The history brings an empty database to what the models say, on both databases; autogenerate finds nothing to do."""

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
