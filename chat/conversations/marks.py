"""Read marks: how far each side has seen a conversation. Whoever reads marks all the time: they are written together.

Naive: a transaction, and a flush to disk, for each message that somebody saw: as much work as storing it. Here: what
was seen within a moment goes into one transaction. A mark that is lost with the process is told again by the reader.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import structlog

from chat.db import Database
from chat.ids import id_of
from chat.writer import Unstorable, Unwritten

GATHER_SECONDS = 0.1
AGAIN_SECONDS = 1.0

Side = Literal["visitor", "operator"]
log = structlog.get_logger(__name__)


class Mark(NamedTuple):
    conversation_id: UUID
    side: Side
    held_by: UUID | None
    """An operator's mark counts while the conversation is theirs."""


Marks = Mapping[Mark, int]


class ReadMarks:
    """`note` never waits; `on_raised(conversation_id, side, seq)` follows the commit, for marks that were news."""

    def __init__(self, db: Database, on_raised: Callable[[UUID, Side, int], None]) -> None:
        self._db = db
        self._on_raised = on_raised
        self._marks: dict[Mark, int] = {}
        self._noted = asyncio.Event()

    def note(self, conversation_id: UUID, side: Side, seq: int, *, held_by: UUID | None = None) -> None:
        mark = Mark(conversation_id, side, held_by)
        self._marks[mark] = max(seq, self._marks.get(mark, 0))
        self._noted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.write()
            if self._marks:
                await asyncio.sleep(AGAIN_SECONDS)
                self._noted.set()

    async def write(self) -> None:
        """What was noted so far. A mark never falls and never passes the head."""
        self._noted.clear()
        marks, self._marks = self._marks, {}
        if not marks:
            return
        try:
            raised = await self._db.write_by_driver(partial(_on_sqlite if self._db.is_sqlite else _on_postgres, marks))
        except (Unwritten, Unstorable) as error:
            log.warning("read marks could not be stored", error=type(error.__cause__).__name__, marks=len(marks))
            for mark, seq in marks.items():
                self._marks[mark] = max(seq, self._marks.get(mark, 0))
            return
        for mark in raised:
            self._on_raised(mark.conversation_id, mark.side, marks[mark])


_SQLITE = {
    side: f"UPDATE conversation SET {side}_read_seq = ?1 WHERE id = ?2 AND {side}_read_seq < ?1 AND last_seq >= ?1"  # noqa: S608
    " AND (?3 IS NULL OR operator_id = ?3)"
    for side in ("visitor", "operator")
}
_LOCK = "SELECT FROM conversation WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
"""In the order of the journal's locks, so that the two cannot wait for each other."""
_POSTGRES = {
    side: f"UPDATE conversation AS c SET {side}_read_seq = n.seq"  # noqa: S608
    " FROM json_to_recordset(%s::json) AS n(id uuid, seq int, held_by uuid)"
    f" WHERE c.id = n.id AND c.{side}_read_seq < n.seq AND c.last_seq >= n.seq"
    " AND (n.held_by IS NULL OR c.operator_id = n.held_by) RETURNING c.id::text, n.held_by::text"
    for side in ("visitor", "operator")
}


def _on_sqlite(marks: Marks, connection: sqlite3.Connection) -> list[Mark]:
    connection.execute("BEGIN IMMEDIATE")
    raised = []
    for mark, seq in marks.items():
        held_by = mark.held_by.hex if mark.held_by else None
        if connection.execute(_SQLITE[mark.side], (seq, mark.conversation_id.hex, held_by)).rowcount:
            raised.append(mark)
    connection.execute("COMMIT")
    return raised


def _on_postgres(marks: Marks, connection: Any) -> list[Mark]:
    raised = []
    with connection.transaction():
        connection.execute(_LOCK, ("{" + ",".join({str(mark.conversation_id) for mark in marks}) + "}",))
        sides: tuple[Side, ...] = ("visitor", "operator")
        for side in sides:
            wanted = [
                {"id": mark.conversation_id, "seq": seq, "held_by": mark.held_by}
                for mark, seq in marks.items()
                if mark.side == side
            ]
            if wanted:
                found = connection.execute(_POSTGRES[side], (msgspec.json.encode(wanted).decode(),))
                raised += [Mark(id_of(one), side, id_of(held_by) if held_by else None) for one, held_by in found]
    return raised
