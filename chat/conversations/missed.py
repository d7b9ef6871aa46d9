"""What readers missed while they were away: a little of many streams by one query, for all who come back together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, column, select, values

from chat.conversations.entry import StoredEntry, entry_of
from chat.conversations.models import Message
from chat.db import Database, table_of
from chat.together import Together

FEW = 50
"""Who missed more asks alone."""


class Cursor(NamedTuple):
    conversation_id: UUID
    stream: str
    after: int


class Missed:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._found = Together(self._load)

    @property
    def lateness(self) -> float:
        """Seconds for which one waits who asks."""
        return self._found.lateness

    async def after(self, cursor: Cursor) -> list[StoredEntry]:
        """Oldest first, read after this call began; all of them, so for readers who missed few."""
        return await self._found.get(cursor) or []

    async def _load(self, cursors: Sequence[Cursor]) -> Mapping[Cursor, list[StoredEntry]]:
        rows = table_of(Message)
        wanted = (
            values(column("id", Uuid), column("stream", rows.c.stream.type), column("after", Integer), name="wanted")
            .data([tuple(cursor) for cursor in cursors])
            .cte()
        )
        place = and_(rows.c.conversation_id == wanted.c.id, rows.c.stream == wanted.c.stream)
        statement = (
            select(rows, wanted.c.after)
            .join(wanted, and_(place, rows.c.seq > wanted.c.after))
            .order_by(rows.c.conversation_id, rows.c.stream, rows.c.seq)
        )
        found: dict[Cursor, list[StoredEntry]] = {}
        async with self._db.read() as session:
            for row in (await session.execute(statement)).mappings():
                cursor = Cursor(row["conversation_id"], row["stream"], row["after"])
                found.setdefault(cursor, []).append(entry_of(row))
        return found
