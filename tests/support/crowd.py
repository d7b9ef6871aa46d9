"""A busy desk straight into the tables: thousands who wait, hundreds who answer, years of history."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlmodel import SQLModel

from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from chat.ids import new_id
from chat.pairing.models import Assignment
from chat.people.models import Department, Operator, OperatorDepartment, Site, Visitor

CHUNK = 2000


@dataclass(frozen=True)
class Crowd:
    site: UUID
    departments: list[UUID]
    operators: list[UUID]
    waiting: list[UUID]
    """In the order of service, over all departments."""


async def gather(
    db: Database,
    now: datetime,
    *,
    waiting: int,
    operators: int,
    ended: int = 0,
    active: int = 0,
    capacity: int = 5,
    departments: int = 2,
) -> Crowd:
    """`waiting` conversations without an operator, `active` ones spread over the operators, `ended` ones of before.
    Everybody is present and a member of every department."""
    site = new_id()
    units = [new_id() for _ in range(departments)]
    people = [new_id() for _ in range(operators)]
    await fill(
        db, Site, [{"id": site, "key": f"s{site.hex}", "name": "P", "origins": [], "settings": {}, "created_at": now}]
    )
    rows = [{"id": unit, "slug": f"d{unit.hex}", "names": {"en": "D"}, "position": n} for n, unit in enumerate(units)]
    await fill(db, Department, rows)
    held = [active // operators + (n < active % operators) for n in range(operators)] if operators else []
    rows = [
        {
            "id": person,
            "email": f"{person}@desk.example",
            "name": f"Operator {n}",
            "capacity": max(capacity, held[n]) if active else capacity,
            "present": True,
            "load": held[n],
            "settings": {},
            "created_at": now,
        }
        for n, person in enumerate(people)
    ]
    await fill(db, Operator, rows)
    members = [{"operator_id": person, "department_id": unit} for person in people for unit in units]
    await fill(db, OperatorDepartment, members)
    chance = random.Random(7)  # noqa: S311 — the same crowd each time
    conversations: list[dict[str, Any]] = []
    for n in range(ended + active + waiting):
        state = "ended" if n < ended else "active" if n < ended + active else "waiting"
        began = now - timedelta(seconds=ended + active + waiting - n)
        owner = (
            people[(n - ended) % operators]
            if state == "active"
            else chance.choice(people)
            if state == "ended"
            else None
        )
        conversations.append(
            {
                "id": new_id(),
                "site_id": site,
                "visitor_id": new_id(),
                "department_id": units[n % departments],
                "start_ref": f"ref-{n:012}",
                "state": state,
                "operator_id": owner,
                "last_seq": 1,
                "last_message_text": f"words {n}",
                "last_message_by": "visitor",
                "last_message_at": began,
                "waiting_since": began if state == "waiting" or (state == "active" and n % 2) else None,
                "first_reply_at": began if state == "ended" else None,
                "first_reply_seconds": 20.0 if state == "ended" else None,
                "page": {"url": "https://www.polaris.example/vps"},
                "created_at": began,
                "ended_at": began if state == "ended" else None,
            }
        )
    visitors = [
        {
            "id": one["visitor_id"],
            "site_id": site,
            "token_hash": one["visitor_id"].hex,
            "pages": [],
            "created_at": now,
            "seen_at": now,
        }
        for one in conversations
    ]
    await fill(db, Visitor, visitors)
    await fill(db, Conversation, conversations)
    words = [
        {
            "id": new_id(),
            "conversation_id": one["id"],
            "stream": "public",
            "seq": 1,
            "kind": "message",
            "author_kind": "visitor",
            "text": one["last_message_text"],
            "data": {},
            "at": one["created_at"],
        }
        for one in conversations
    ]
    await fill(db, Message, words)
    assigned = [
        {
            "id": new_id(),
            "conversation_id": one["id"],
            "operator_id": one["operator_id"],
            "state": "ended" if one["state"] == "ended" else "accepted",
            "offered_at": one["created_at"],
            "accepted_at": one["created_at"],
            "ended_at": one["ended_at"],
        }
        for one in conversations
        if one["operator_id"] is not None
    ]
    await fill(db, Assignment, assigned)
    await analyse(db)
    return Crowd(site, units, people, [one["id"] for one in conversations if one["state"] == "waiting"])


async def long_conversation(db: Database, crowd: Crowd, conversation: UUID, messages: int, now: datetime) -> None:
    """`messages` in all, visitor and operator in turns."""
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "conversation_id": conversation,
            "stream": "public",
            "seq": seq,
            "kind": "message",
            "author_kind": ("visitor", "operator")[seq % 2],
            "author_name": ("", "Ana Kovač")[seq % 2],
            "text": f"{seq}: the server answers again after a restart, see https://www.polaris.example/status/{seq}",
            "data": {},
            "ref": f"ref-{seq:012}",
            "at": now,
        }
        for seq in range(2, messages + 1)
    ]
    await fill(db, Message, rows)
    async with db.write() as session:
        table = table_of(Conversation)
        await session.execute(table.update().where(table.c.id == conversation).values(last_seq=messages))
    await analyse(db)


async def analyse(db: Database) -> None:
    """As the database does by itself after a while."""
    if not db.is_sqlite:
        async with db.write() as session:
            await session.execute(text("ANALYZE"))


async def fill(db: Database, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), CHUNK):
        async with db.write() as session:
            await session.execute(insert(table_of(model)), list(rows[start : start + CHUNK]))
