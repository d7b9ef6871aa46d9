"""What an operator finds in the inbox: the same as by looking at every conversation, without looking at every one."""

import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from chat.console.inbox import RECENTLY_ENDED, departments_of, inbox_rows
from chat.console.rows import ConversationRow
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.people.models import Operator, OperatorDepartment
from tests.support.clock import FakeClock
from tests.support.crowd import Crowd, gather
from tests.support.plans import watched

OPEN = ("waiting", "offered", "active")


async def inbox_of(db: Database, operator_id: UUID, limit: int = 200) -> tuple[Operator, list[ConversationRow]]:
    async with db.read() as session:
        operator = await session.get_one(Operator, operator_id)
        return operator, await inbox_rows(session, operator, await departments_of(session, operator), limit)


async def shuffled(db: Database, clock: FakeClock, seed: int) -> Crowd:
    """A small desk whose conversations are in every state, and whose first operator has one department of two."""
    chance = random.Random(seed)  # noqa: S311 — a story that can be told again
    crowd = await gather(db, clock.now(), waiting=90, operators=3)
    rows, members = table_of(Conversation), table_of(OperatorDepartment)
    async with db.write() as session:
        await session.execute(
            members.delete().where(
                members.c.operator_id == crowd.operators[0], members.c.department_id == crowd.departments[1]
            )
        )
        for n, id_ in enumerate(crowd.waiting):
            state = chance.choice([*OPEN, "ended", "left"])
            at = clock.now() - timedelta(seconds=chance.randrange(10_000))
            values = {
                "state": state,
                "priority": chance.randint(0, 1),
                "operator_id": chance.choice(crowd.operators) if state in ("offered", "active", "ended") else None,
                "waiting_since": at if state in OPEN[:2] or (state == "active" and n % 2) else None,
                "last_message_at": at,
                "ended_at": at if state == "ended" else None,
            }
            await session.execute(rows.update().where(rows.c.id == id_).values(**values))
    return crowd


@pytest.mark.parametrize("seed", range(3))
async def test_it_holds_what_they_may_see_and_nothing_else(db: Database, clock: FakeClock, seed: int) -> None:
    crowd = await shuffled(db, clock, seed)
    operator, found = await inbox_of(db, crowd.operators[0])
    rows = table_of(Conversation)
    async with db.read() as session:
        everything = (await session.execute(select(rows))).all()
    seen = [one for one in everything if crowd.departments[0] == one.department_id or one.operator_id == operator.id]
    open_ones = {one.id for one in seen if one.state in OPEN}
    assert {row.id for row in found if row.state in OPEN} == open_ones
    ended = sorted((one for one in seen if one.state == "ended"), key=lambda one: one.ended_at, reverse=True)
    last = [row.id for row in found if row.state == "ended"]
    assert set(last) <= {one.id for one in ended[:RECENTLY_ENDED]}
    assert len([row for row in found if row.state not in OPEN]) == RECENTLY_ENDED
    waiting = [row.waiting_since for row in found if row.waiting_since is not None and row.priority == 1]
    assert waiting == sorted(waiting)


async def test_their_own_come_first_when_there_are_too_many(db: Database, clock: FakeClock) -> None:
    crowd = await shuffled(db, clock, 5)
    rows = table_of(Conversation)
    async with db.read() as session:
        theirs = rows.c.operator_id == crowd.operators[0]
        own = set((await session.execute(select(rows.c.id).where(theirs, rows.c.state.in_(OPEN)))).scalars())
    assert own
    _, found = await inbox_of(db, crowd.operators[0], limit=len(own))
    assert {row.id for row in found if row.state in OPEN} == own


async def test_with_thousands_open_no_table_is_read_whole(db: Database, clock: FakeClock) -> None:
    crowd = await gather(db, clock.now(), waiting=800, operators=50, ended=2000, active=800, capacity=60)
    with watched(db) as statements:
        _, found = await inbox_of(db, crowd.operators[0])
    assert len([row for row in found if row.state in OPEN]) == 200
    for table in ("conversation", "message"):
        assert await statements.scans(db, table) == []
