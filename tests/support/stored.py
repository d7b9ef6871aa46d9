"""What the database of a run holds, read by plain SQL: the judge must not believe the product's own readers."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

PUBLIC = "public"

MESSAGES = "SELECT conversation_id, stream, seq, kind, ref, author_kind, data FROM message ORDER BY seq"
CONVERSATIONS = "SELECT id, visitor_id, start_ref, department_id FROM conversation"
ASSIGNMENTS = "SELECT conversation_id, operator_id FROM assignment"
OPERATORS = "SELECT id, email, role FROM operator"
MEMBERS = "SELECT operator_id, department_id FROM operator_department"
DEPARTMENTS = "SELECT id, slug FROM department"


@dataclass(frozen=True, slots=True)
class Row:
    seq: int
    kind: str
    ref: str
    author_kind: str = "visitor"
    event: str = ""


@dataclass(frozen=True)
class OperatorFacts:
    id: str
    role: str
    departments: frozenset[str]


@dataclass
class Stored:
    """`streams` by (conversation, stream), each in the order of `seq`."""

    streams: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    visitors: dict[str, str] = field(default_factory=dict)
    """conversation → visitor"""
    started: dict[str, str] = field(default_factory=dict)
    """ref of the start → visitor"""
    operators: dict[str, OperatorFacts] = field(default_factory=dict)
    """e-mail → who"""
    departments: dict[str, set[str]] = field(default_factory=dict)
    """conversation → all departments it was ever in"""
    assigned: dict[str, set[str]] = field(default_factory=dict)
    """conversation → all operators who ever had it, or were offered it"""

    @property
    def refs(self) -> set[str]:
        return {row.ref for rows in self.streams.values() for row in rows if row.ref}

    def heads(self) -> dict[str, dict[str, int]]:
        """stream → conversation → last seq"""
        heads: dict[str, dict[str, int]] = {}
        for (conversation, stream), rows in self.streams.items():
            heads.setdefault(stream, {})[conversation] = rows[-1].seq
        return heads


def read_stored(url: str) -> Stored:
    """From `postgresql://…` or `sqlite:///path`."""
    if url.startswith("sqlite"):
        return read_sqlite(Path(url.partition(":///")[2]))
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _put_together(lambda query: connection.execute(query.encode()).fetchall())


def read_sqlite(path: Path) -> Stored:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return _put_together(lambda query: connection.execute(query).fetchall())


def _put_together(ask: Any) -> Stored:
    stored = Stored()
    slugs = {str(slug): _id(one) for one, slug in ask(DEPARTMENTS)}
    for conversation, visitor, start, department in ask(CONVERSATIONS):
        stored.visitors[_id(conversation)] = _id(visitor)
        stored.started[str(start)] = _id(visitor)
        stored.departments[_id(conversation)] = {_id(department)}
    for conversation, stream, seq, kind, ref, author, data in ask(MESSAGES):
        found = msgspec.json.decode(data) if isinstance(data, str | bytes) else data
        row = Row(int(seq), str(kind), str(ref or ""), str(author), str(found.get("event", "")))
        stored.streams.setdefault((_id(conversation), str(stream)), []).append(row)
        if isinstance(department := found.get("department"), dict):
            # The target of a transfer.
            stored.departments.setdefault(_id(conversation), set()).add(slugs.get(department.get("slug", ""), ""))
    for conversation, operator in ask(ASSIGNMENTS):
        stored.assigned.setdefault(_id(conversation), set()).add(_id(operator))
    members = _grouped(ask(MEMBERS))
    for one, email, role in ask(OPERATORS):
        stored.operators[str(email)] = OperatorFacts(_id(one), str(role), frozenset(members.get(_id(one), ())))
    return stored


def _grouped(pairs: Iterable[Sequence[Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(_id(key), set()).add(_id(value))
    return found


def _id(value: Any) -> str:
    """SQLite keeps 32 digits, PostgreSQL a uuid."""
    return str(value if isinstance(value, UUID) else UUID(str(value)))
