"""A group of messages as rows: lock and look, then write and commit, by each database's own driver.

Both statements that look answer with one JSON text, and on PostgreSQL both that write take one: a driver converts a
value in about a microsecond, a message has thirty of them, and `msgspec` does all of a group's at once.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from chat.conversations.entry import Author, StoredEntry
from chat.conversations.saying import Known, Locked, Talk, moment
from chat.db import Database
from chat.ids import id_of, new_id_hex, new_id_text
from chat.outbox import OutboxDraft

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

    from chat.conversations.pipeline import Pipeline

C_contra = TypeVar("C_contra", contravariant=True)
Refs = Collection[tuple[UUID, str]]
Looked = tuple[dict[UUID, Locked], Known]
LockedRow = tuple[str, int, str, int, int, str | None, str]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[LockedRow]).decode


class _Known(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A message whose `ref` is said again, as PostgreSQL tells it."""

    conversation_id: UUID
    stream: str
    seq: int
    kind: str
    author_kind: str
    author_id: UUID | None
    author_name: str
    text: str
    data: dict[str, Any]
    ref: str
    after_seq: int
    at: datetime

    def entry(self) -> StoredEntry:
        return StoredEntry(
            self.conversation_id,
            self.stream,
            self.seq,
            self.kind,
            Author(self.author_kind, self.author_id, self.author_name),
            self.text,
            self.data,
            self.ref,
            self.after_seq,
            self.at,
        )


_decode_known = msgspec.json.Decoder(list[_Known]).decode

MESSAGE = "id, conversation_id, stream, seq, kind, author_kind, author_id, author_name, text, data, ref, after_seq, at"


class GroupRows(Protocol[C_contra]):
    def look(self, connection: C_contra, ids: Collection[UUID], refs: Refs, around_locks: bool = False) -> Looked:
        """Begins the transaction and locks the conversations, in the order of their ids: two processes cannot
        deadlock. Only then reads which refs exist. `around_locks`: without those that somebody else has locked."""
        ...

    def write(self, connection: C_contra, talks: Sequence[Talk], owed: Sequence[OutboxDraft]) -> None:
        """Writes what was added with what is owed for it, and commits; without anything it ends the transaction."""
        ...


def group_rows(db: Database) -> "GroupRows[Any]":
    return SqliteRows() if db.is_sqlite else PostgresRows()


class SqliteRows:
    def look(
        self, connection: sqlite3.Connection, ids: Collection[UUID], refs: Refs, around_locks: bool = False
    ) -> Looked:
        # Here one lock is for all.
        connection.execute("BEGIN IMMEDIATE")
        wanted = {one.hex: one for one in ids}
        (found,) = connection.execute(_SQLITE_LOOK, (_text(list(wanted)),)).fetchone()
        earlier = connection.execute(_SQLITE_KNOWN, (_text([(one.hex, ref) for one, ref in refs]),)).fetchall()
        return _locked(wanted, found), {(UUID(row[1]), row[10]): _sqlite_entry(row) for row in earlier}

    def write(self, connection: sqlite3.Connection, talks: Sequence[Talk], owed: Sequence[OutboxDraft]) -> None:
        now = _sqlite_time(talks[0].now) if talks else ""
        plain = [_sqlite_heads(talk, now) for talk in talks if talk.is_plain]
        more = [_sqlite_heads(talk, now)[:-1] + _sqlite_more(talk, now) for talk in talks if not talk.is_plain]
        if plain:
            connection.executemany(_SQLITE_PLAIN, plain)
        if more:
            connection.executemany(_SQLITE_MORE, more)
        if talks:
            rows = [_sqlite_row(entry, now) for talk in talks for entry in talk.added]
            connection.executemany(_SQLITE_INSERT, rows)
        if owed:
            due = [(new_id_hex(), one.kind, _text(one.payload), one.dedupe, now, now) for one in owed]
            connection.executemany(_SQLITE_OWE, due)
        connection.execute("COMMIT")


class PostgresRows:
    def __init__(self) -> None:
        self._pipeline: Pipeline | None = None

    def look(
        self, connection: "psycopg.Connection[Any]", ids: Collection[UUID], refs: Refs, around_locks: bool = False
    ) -> Looked:
        wanted = {str(one): one for one in ids}
        # Which refs are known is a statement of its own: its view begins when the locks are held.
        _, heads, earlier = self._on(connection).ask(
            "BEGIN",
            ("nd_look_around" if around_locks else "nd_look", b"{" + ",".join(wanted).encode() + b"}"),
            ("nd_known", _encode([{"c": one, "r": ref} for one, ref in refs])),
        )
        known = {(row.conversation_id, row.ref): row.entry() for row in _decode_known(_value(earlier))}
        return _locked(wanted, _value(heads)), known

    def write(self, connection: "psycopg.Connection[Any]", talks: Sequence[Talk], owed: Sequence[OutboxDraft]) -> None:
        ask = self._on(connection).ask
        if not talks:
            ask("COMMIT")
            return
        changes = [_postgres_change(talk) for talk in talks]
        rows = [_postgres_row(entry) for talk in talks for entry in talk.added]
        due = [("nd_owe", _encode([_postgres_owed(one, talks[0].now) for one in owed]))] if owed else []
        ask(("nd_update", _encode(changes)), ("nd_insert", _encode(rows)), *due, "COMMIT")

    def _on(self, connection: "psycopg.Connection[Any]") -> "Pipeline":
        if self._pipeline is None or self._pipeline.connection is not connection:
            from chat.conversations.pipeline import Pipeline  # ten megabytes that SQLite does without

            self._pipeline = Pipeline(connection, _POSTGRES)
        return self._pipeline


def _value(result: "PGresult") -> bytes:
    return result.get_value(0, 0) or b"[]"


def _text(value: Any) -> str:
    return _encode(value).decode()


def _locked(wanted: dict[str, UUID], found: str | bytes) -> dict[UUID, Locked]:
    return {
        wanted[one]: Locked(
            last_seq, state, bool(waits), bool(replied), id_of(operator) if operator else None, created_at
        )
        for one, last_seq, state, waits, replied, operator, created_at in _decode(found)
    }


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_SQLITE_LOOK = """
SELECT json_group_array(json_array(
  id, last_seq, state, waiting_since IS NOT NULL, first_reply_at IS NOT NULL, operator_id, created_at
)) FROM conversation WHERE id IN (SELECT value FROM json_each(?))
"""
_SQLITE_KNOWN = f"""
SELECT {", ".join("m." + name for name in MESSAGE.split(", "))} FROM json_each(?) AS w CROSS JOIN message AS m
ON m.conversation_id = json_extract(w.value, '$[0]') AND m.ref = json_extract(w.value, '$[1]')
"""  # noqa: S608 — names of our own columns
_SQLITE_INSERT = f"INSERT INTO message ({MESSAGE}) VALUES ({', '.join('?' * 13)})"  # noqa: S608
_SQLITE_OWE = """
INSERT INTO outbox (id, kind, payload, dedupe, state, attempts, next_at, created_at)
VALUES (?, ?, ?, ?, 'waiting', 0, ?, ?) ON CONFLICT (dedupe) DO NOTHING
"""
_HEADS = """last_seq = ?, version = version + ?, last_message_text = ?, last_message_by = ?, last_message_at = ?,
visitor_read_seq = coalesce(?, visitor_read_seq), operator_read_seq = coalesce(?, operator_read_seq)"""
_SQLITE_PLAIN = f"UPDATE conversation SET {_HEADS} WHERE id = ?"  # noqa: S608
_SQLITE_MORE = f"""
UPDATE conversation SET {_HEADS}, state = coalesce(?, state),
operator_id = iif(?, NULL, operator_id), ended_at = iif(?, NULL, ended_at),
waiting_since = CASE ? WHEN 'began' THEN ? WHEN 'over' THEN NULL ELSE waiting_since END,
first_reply_at = coalesce(first_reply_at, ?), first_reply_seconds = coalesce(first_reply_seconds, ?)
WHERE id = ?
"""  # noqa: S608


def _sqlite_time(at: datetime) -> str:
    """As the column type writes it: naive UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _sqlite_heads(talk: Talk, now: str) -> tuple[Any, ...]:
    return (
        talk.last_seq,
        len(talk.added),
        talk.text,
        talk.by,
        now,
        talk.visitor_read_seq,
        talk.operator_read_seq,
        talk.conversation_id.hex,
    )


def _sqlite_more(talk: Talk, now: str) -> tuple[Any, ...]:
    return (
        "waiting" if talk.reopened else None,
        talk.reopened,
        talk.reopened,
        talk.wait,
        now,
        None if talk.first_reply_seconds is None else now,
        talk.first_reply_seconds,
        talk.conversation_id.hex,
    )


def _sqlite_row(entry: StoredEntry, now: str) -> tuple[Any, ...]:
    author = entry.author
    return (
        new_id_hex(),
        entry.conversation_id.hex,
        entry.stream,
        entry.seq,
        entry.kind,
        author.kind,
        author.id.hex if author.id else None,
        author.name,
        entry.text,
        _text(entry.data) if entry.data else "{}",
        entry.ref,
        entry.after_seq,
        now,
    )


def _sqlite_entry(row: Sequence[Any]) -> StoredEntry:
    return StoredEntry(
        UUID(row[1]),
        row[2],
        row[3],
        row[4],
        Author(row[5], UUID(row[6]) if row[6] else None, row[7]),
        row[8],
        msgspec.json.decode(row[9]),
        row[10],
        row[11],
        moment(row[12]),
    )


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────

_POSTGRES_LOOK = """
SELECT coalesce(json_agg(json_build_array(
  id, last_seq, state, (waiting_since IS NOT NULL)::int, (first_reply_at IS NOT NULL)::int, operator_id, created_at
)), '[]')::text FROM (SELECT * FROM conversation WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) AS c
"""
_POSTGRES_KNOWN = """
SELECT coalesce(json_agg(json_build_array(
  m.conversation_id, stream, seq, kind, author_kind, author_id, author_name, text, data, ref, after_seq, at
)), '[]')::text
FROM json_to_recordset($1::json) AS w(c uuid, r text) JOIN message AS m ON m.conversation_id = w.c AND m.ref = w.r
"""
_POSTGRES_UPDATE = """
UPDATE conversation AS c SET
last_seq = n.last_seq, version = c.version + n.added,
last_message_text = n.text, last_message_by = n.by, last_message_at = n.now,
visitor_read_seq = coalesce(n.visitor_read_seq, c.visitor_read_seq),
operator_read_seq = coalesce(n.operator_read_seq, c.operator_read_seq),
state = CASE WHEN n.reopened THEN 'waiting' ELSE c.state END,
operator_id = CASE WHEN n.reopened THEN NULL ELSE c.operator_id END,
ended_at = CASE WHEN n.reopened THEN NULL ELSE c.ended_at END,
waiting_since = CASE n.wait WHEN 'began' THEN n.now WHEN 'over' THEN NULL ELSE c.waiting_since END,
first_reply_at = coalesce(c.first_reply_at, CASE WHEN n.first_reply_seconds IS NOT NULL THEN n.now END),
first_reply_seconds = coalesce(c.first_reply_seconds, n.first_reply_seconds)
FROM json_to_recordset($1::json) AS n(
  id uuid, last_seq int, added int, text text, by text, now timestamptz, visitor_read_seq int, operator_read_seq int,
  reopened bool, wait text, first_reply_seconds float8
)
WHERE c.id = n.id
"""
_POSTGRES_INSERT = f"""
INSERT INTO message ({MESSAGE})
SELECT i, c, 'public', s, coalesce(k, 'message'), a, u, coalesce(n, ''), t, coalesce(d, '{{}}'), r, 0, at
FROM json_to_recordset($1::json) AS m(
  i uuid, c uuid, s int, k text, a text, u uuid, n text, t text, d json, r text, at timestamptz
)
"""  # noqa: S608
_POSTGRES_OWE = """
INSERT INTO outbox (id, kind, payload, dedupe, state, attempts, next_at, created_at)
SELECT id, kind, payload, dedupe, 'waiting', 0, now, now
FROM json_to_recordset($1::json) AS o(id uuid, kind text, payload json, dedupe text, now timestamptz)
ON CONFLICT (dedupe) DO NOTHING
"""

_POSTGRES = {
    "nd_look": _POSTGRES_LOOK,
    "nd_look_around": _POSTGRES_LOOK.replace("FOR UPDATE", "FOR UPDATE SKIP LOCKED"),
    "nd_known": _POSTGRES_KNOWN,
    "nd_update": _POSTGRES_UPDATE,
    "nd_insert": _POSTGRES_INSERT,
    "nd_owe": _POSTGRES_OWE,
}


def _postgres_change(talk: Talk) -> dict[str, Any]:
    return {
        "id": talk.conversation_id,
        "last_seq": talk.last_seq,
        "added": len(talk.added),
        "text": talk.text,
        "by": talk.by,
        "now": talk.now,
        "visitor_read_seq": talk.visitor_read_seq,
        "operator_read_seq": talk.operator_read_seq,
        "reopened": talk.reopened,
        "wait": talk.wait,
        "first_reply_seconds": talk.first_reply_seconds,
    }


def _postgres_owed(one: OutboxDraft, now: datetime) -> dict[str, Any]:
    return {"id": new_id_text(), "kind": one.kind, "payload": one.payload, "dedupe": one.dedupe, "now": now}


class _Row(msgspec.Struct, omit_defaults=True, gc=False):
    """With short names, and without what most messages have in common: PostgreSQL reads every letter of it."""

    i: str
    c: UUID
    s: int
    a: str
    t: str
    at: datetime
    k: str = "message"
    u: UUID | None = None
    n: str = ""
    d: Mapping[str, Any] = msgspec.field(default_factory=dict)
    r: str | None = None


def _postgres_row(entry: StoredEntry) -> _Row:
    author = entry.author
    return _Row(
        new_id_text(),
        entry.conversation_id,
        entry.seq,
        author.kind,
        entry.text,
        entry.at,
        entry.kind,
        author.id,
        author.name,
        entry.data,
        entry.ref,
    )
