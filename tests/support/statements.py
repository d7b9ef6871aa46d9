"""Statements are compiled once per run of pytest. Each test has a database of its own, and so an engine of its own,
which would compile all of them anew: a tenth of the time of such a test.
"""

from functools import partial
from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import create_async_engine

from chat import connecting


def compile_once() -> None:
    """From now on engines of this process share what they compiled; their dialects count as one, since all databases of
    a run stand on one server or are files of one library."""
    for dialect in (PGDialectAsync_psycopg, SQLiteDialect_aiosqlite):
        dialect.__eq__ = _is_same_kind  # type: ignore[method-assign,assignment]
        dialect.__hash__ = _hash_of_kind  # type: ignore[method-assign,assignment]
    compiled: dict[Any, Any] = {}
    shared = partial(create_async_engine, execution_options={"compiled_cache": compiled})
    connecting.create_async_engine = shared  # type: ignore[attr-defined]


def _is_same_kind(one: Dialect, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(one: Dialect) -> int:
    return hash(type(one))
