"""With thousands waiting and years of history behind, no hot statement reads a whole table, on either database."""

from collections.abc import AsyncIterator

import pytest
from sqlmodel import select

from chat.conversations import store
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.pairing.places import PlaceBoard
from chat.pairing.staff import StaffBoard
from chat.people.models import Operator
from tests.support.clock import FakeClock
from tests.support.crowd import Crowd, gather
from tests.support.databases import Filled
from tests.support.parts import Parts, running
from tests.support.plans import Statements, watched

LONG = ("conversation", "assignment", "message", "visitor")
"""Tables that grow for ever."""


@pytest.fixture
async def parts(db: Database, clock: FakeClock) -> AsyncIterator[Parts]:
    async with running(db, clock) as parts:
        yield parts


async def _crowd(db: Database) -> Crowd:
    return await gather(db, FakeClock().now(), waiting=2000, operators=50, ended=6000, active=100)


CROWDED = Filled(_crowd)


async def reads_no_whole_table(statements: Statements, db: Database) -> None:
    assert statements.sent
    for table in LONG:
        assert await statements.scans(db, table) == []


async def test_a_decision(parts: Parts, db: Database, crowd: Crowd) -> None:
    with watched(db) as statements:
        assert await parts.pairing.offer_next()
    await reads_no_whole_table(statements, db)
    async with db.read() as session:
        found = await store.conversation(session, crowd.waiting[0])
    assert found is not None
    assert found.state == "offered"


async def test_a_turn_of_the_dispatcher_with_missed_offers_and_operators_who_are_gone(
    parts: Parts, db: Database, clock: FakeClock, crowd: Crowd
) -> None:
    operators = table_of(Operator)
    async with db.write() as session:
        await session.execute(operators.update().where(operators.c.id.in_(crowd.operators[:3])).values(present=False))
        # Room for a few only: the turn is to end.
        await session.execute(operators.update().values(capacity=operators.c.load))
        one_more = operators.update().where(operators.c.id.in_(crowd.operators[4:6]))
        await session.execute(one_more.values(capacity=operators.c.load + 1))
    await parts.dispatcher.turn()
    clock.advance(46)
    with watched(db) as statements:
        await parts.dispatcher.turn()
    await reads_no_whole_table(statements, db)


async def test_places_of_all_take_a_few_queries_and_of_each_who_comes_back_none(
    parts: Parts, db: Database, clock: FakeClock, crowd: Crowd
) -> None:
    board = PlaceBoard(db, clock)
    async with db.read() as session:
        waiting = await session.exec(select(Conversation).where(Conversation.state == "waiting"))
        by_id = {one.id: one for one in waiting}
    found = [by_id[one] for one in crowd.waiting]
    with watched(db) as statements:
        places = [place and place.position for place in [await board.of(one) for one in found]]
    assert places == [n // 2 + 1 for n in range(len(crowd.waiting))]
    assert len(statements.sent) <= 6
    with watched(db) as statements:
        await board.near()
    await reads_no_whole_table(statements, db)


async def test_a_place_that_is_not_known_yet_is_counted(parts: Parts, db: Database, clock: FakeClock) -> None:
    board = PlaceBoard(db, clock)
    site, _ = await parts.furnish()
    first = await parts.conversation(site)
    assert (await board.of(first)) == (await board.all())[first.id]
    clock.advance(1)
    second = await parts.conversation(site)
    with watched(db) as statements:
        place = await board.of(second)
    assert place is not None
    assert place.position == 2
    await reads_no_whole_table(statements, db)


async def test_who_is_there_and_taking_the_oldest(parts: Parts, db: Database, clock: FakeClock, crowd: Crowd) -> None:
    async with db.read() as session:
        operator = await session.get_one(Operator, crowd.operators[0])
    with watched(db) as statements:
        assert (await StaffBoard(db, clock).now()).online == 50
        assert await parts.pairing.take(None, operator) == crowd.waiting[0]
    await reads_no_whole_table(statements, db)
