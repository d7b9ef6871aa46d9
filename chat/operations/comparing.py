"""Is what was restored what was copied? Rows of each table, the head of every stream, and no hole in any."""

from itertools import zip_longest
from pathlib import Path

from sqlalchemy import Connection, text

from chat.operations.archive import CopyRefused, Manifest
from chat.operations.stores import POSITIONS, positions_in

SHOWN = 5


def require_same(connection: Connection, manifest: Manifest, folder: Path) -> None:
    """Raises CopyRefused with the first differences, a sentence each."""
    found = [*_counts(connection, manifest), *_positions(connection, folder), *_holes(connection)]
    if found:
        more = f" And {len(found) - SHOWN} more." if len(found) > SHOWN else ""
        raise CopyRefused(" ".join(found[:SHOWN]) + more)


def _counts(connection: Connection, manifest: Manifest) -> list[str]:
    found = []
    for table in manifest.tables:
        statement = text(f'SELECT count(*) FROM "{table.name}"')  # noqa: S608 — the tables of the copied schema
        rows = connection.execute(statement).scalar_one()
        if rows != table.rows:
            found.append(f"{table.name} has {rows} rows, {table.rows} were copied.")
    return found


def _positions(connection: Connection, folder: Path) -> list[str]:
    found = []
    with (folder / POSITIONS).open(encoding="ascii") as file:
        for restored, copied in zip_longest(positions_in(connection), file):
            if restored != copied:
                here, there = (line.split() if line else ["none"] for line in (restored, copied))
                found.append(f"A conversation stands at {' '.join(here)}, copied was {' '.join(there)}.")
                if len(found) > SHOWN:
                    break
    return found


def _holes(connection: Connection) -> list[str]:
    """A stream of n entries has the numbers 1 to n: the greatest is the count, and the conversation says the same."""
    found = []
    for stream, head in (("public", "last_seq"), ("internal", "last_note_seq")):
        statement = text(
            f"SELECT c.id, c.{head}, coalesce(m.n, 0), coalesce(m.top, 0) FROM conversation c"  # noqa: S608 — two names
            " LEFT JOIN (SELECT conversation_id, count(*) AS n, max(seq) AS top FROM message"
            " WHERE stream = :stream GROUP BY conversation_id) m ON m.conversation_id = c.id"
            f" WHERE coalesce(m.n, 0) <> c.{head} OR coalesce(m.top, 0) <> c.{head} LIMIT {SHOWN + 1}"
        )
        for conversation_id, said, count, top in connection.execute(statement, {"stream": stream}):
            found.append(f"Conversation {conversation_id} says {said} in its {stream} stream, has {count} up to {top}.")
    return found
