"""Pairing on both databases, by several dispatchers at once: never above capacity, never to somebody absent, never
twice, first in first out, and nobody starves."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations import store
from chat.conversations.entry import Author
from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.ids import new_id
from chat.pairing import steps, waiting
from chat.pairing.leases import DEAD_SECONDS
from chat.pairing.models import Assignment
from chat.people.models import Operator
from chat.people.operators import Operators, Passwords
from chat.protocol.errors import AtCapacity, NoSuchTarget, NoteMissing, NothingWaiting, NotYours, RefTaken
from tests.support.clock import FakeClock
from tests.support.crowd import gather
from tests.support.databases import PostgresMaker
from tests.support.parts import Parts, running


@pytest.fixture
async def parts(db: Database, clock: FakeClock) -> AsyncIterator[Parts]:
    async with running(db, clock) as parts:
        yield parts


async def state_of(parts: Parts, conversation_id: UUID) -> Conversation:
    async with parts.db.read() as session:
        found = await store.conversation(session, conversation_id)
    assert found is not None
    return found


async def operator_now(parts: Parts, operator_id: UUID) -> Operator:
    async with parts.db.read() as session:
        return await session.get_one(Operator, operator_id)


async def watch(parts: Parts, clock: FakeClock, seconds: float) -> None:
    """A process that lives for so long, second by second."""
    for _ in range(round(seconds)):
        clock.advance(1)
        await parts.presence.turn()


async def check_invariants(parts: Parts) -> None:
    """What must hold at any moment, read in one transaction."""
    assignments, conversations, operators = table_of(Assignment), table_of(Conversation), table_of(Operator)
    async with parts.db.read() as session:
        held = {
            row[0]: row[1]
            for row in await session.execute(
                select(assignments.c.operator_id, func.count())
                .where(assignments.c.state != "ended")
                .group_by(assignments.c.operator_id)
            )
        }
        doubles = await session.execute(
            select(assignments.c.conversation_id)
            .where(assignments.c.state != "ended")
            .group_by(assignments.c.conversation_id)
            .having(func.count() > 1)
        )
        assert doubles.first() is None
        for operator in await session.execute(select(operators)):
            assert operator.load == held.get(operator.id, 0)
            assert 0 <= operator.load <= operator.capacity
        loose = await session.execute(
            select(conversations.c.id).where(
                conversations.c.state.in_(("offered", "active")), conversations.c.operator_id.is_(None)
            )
        )
        assert loose.first() is None


async def test_first_in_first_out_with_the_least_loaded(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    begun = []
    for n in range(4):
        begun.append(await parts.conversation(site, f"visitor {n}"))
        clock.advance(1)
    ana = await parts.operator("Ana", capacity=2, departments=(departments[0].id,))
    luka = await parts.operator("Luka", capacity=1, departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)
    await parts.presence.arrive(luka.id)
    while await parts.pairing.offer_next():
        pass
    states = [await state_of(parts, conversation.id) for conversation in begun]
    assert [one.state for one in states] == ["offered", "offered", "offered", "waiting"]
    assert Counter(one.operator_id for one in states[:3]) == {ana.id: 2, luka.id: 1}
    await check_invariants(parts)


async def test_nobody_absent_away_or_of_another_department_is_offered_anything(parts: Parts) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    technical, financial = (department.id for department in departments)
    await parts.operator("Absent", departments=(technical,))
    away = await parts.operator("Away", departments=(technical,))
    await parts.presence.arrive(away.id)
    await parts.pairing.appear(away.id, "away")
    elsewhere = await parts.operator("Elsewhere", departments=(financial,))
    await parts.presence.arrive(elsewhere.id)
    assert not await parts.pairing.offer_next()
    assert (await state_of(parts, found.id)).state == "waiting"
    await parts.pairing.appear(away.id, "online")
    assert await parts.pairing.offer_next()
    assert (await state_of(parts, found.id)).operator_id == away.id


async def test_a_missed_offer_goes_to_the_next_and_comes_back_to_a_lone_operator(
    parts: Parts, clock: FakeClock
) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)
    await parts.dispatcher.turn()
    assert (await state_of(parts, found.id)).operator_id == ana.id
    luka = await parts.operator("Luka", departments=(departments[0].id,))
    await parts.presence.arrive(luka.id)
    await parts.dispatcher.turn()
    clock.advance(31)
    await parts.dispatcher.turn()
    assert (await state_of(parts, found.id)).operator_id == luka.id
    await parts.presence.depart(luka.id)
    await parts.dispatcher.turn()
    assert (await state_of(parts, found.id)).operator_id == ana.id
    await check_invariants(parts)


async def test_a_vanished_operator_gives_the_conversation_back_to_the_head(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    first = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)
    await parts.pairing.take(first.id, ana)
    clock.advance(5)
    later = await parts.conversation(site)
    await parts.presence.depart(ana.id)
    await parts.dispatcher.turn()
    assert (await state_of(parts, first.id)).state == "active"
    clock.advance(46)
    await parts.dispatcher.turn()
    assert (await state_of(parts, first.id)).state == "waiting"
    luka = await parts.operator("Luka", capacity=1, departments=(departments[0].id,))
    await parts.presence.arrive(luka.id)
    await parts.dispatcher.turn()
    assert (await state_of(parts, first.id)).operator_id == luka.id
    assert (await state_of(parts, later.id)).state == "waiting"
    await check_invariants(parts)


async def test_a_process_that_slept_ends_no_later_offer_to_the_same_operator(parts: Parts) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)

    async def offered() -> UUID:
        assert await parts.pairing.offer_next()
        assignments = table_of(Assignment)
        async with parts.db.read() as session:
            one: UUID = (
                await session.execute(select(assignments.c.id).where(assignments.c.state == "offered"))
            ).scalar_one()
        return one

    seen_before_it_slept = await offered()
    assert await parts.pairing.withdraw(found.id, ana.id, "missed", offer=seen_before_it_slept)
    later = await offered()
    assert not await parts.pairing.withdraw(found.id, ana.id, "missed", offer=seen_before_it_slept)
    assert (await state_of(parts, found.id)).state == "offered"
    assert await parts.pairing.withdraw(found.id, ana.id, "missed", offer=later)


async def test_who_was_being_served_and_comes_back_to_the_line_is_next(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    technical, financial = (department.id for department in departments)
    ana = await parts.operator("Ana", departments=(technical, financial))
    await parts.presence.arrive(ana.id)
    served = [await parts.conversation(site) for _ in range(2)]
    for one in served:
        await parts.pairing.take(one.id, ana)
    waits = []
    for department in ("technical", "financial"):
        clock.advance(5)
        waits.append(await parts.conversation(site, department=department))
    for one in served:
        clock.advance(5)
        await parts.conversations.say(one.id, Author("operator", ana.id, "Ana"), "One moment", f"ref-{one.id}")
        assert (await state_of(parts, one.id)).waiting_since is None
    handed, dropped = served
    await parts.pairing.transfer(handed.id, ana, "x", operator_id=None, department="financial", ref="ref-00000001")
    await parts.presence.depart(ana.id)
    await parts.dispatcher.turn()
    clock.advance(46)
    await parts.dispatcher.turn()
    async with parts.db.read() as session:
        lines = [
            [one.id for one in await waiting.first(session, [department], limit=5)]
            for department in (technical, financial)
        ]
    assert lines == [[dropped.id, waits[0].id], [handed.id, waits[1].id]]


async def test_a_word_from_the_ticket_does_not_cost_a_place_in_the_line(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    technical, financial = (department.id for department in departments)
    begun = []
    for department in ("technical", "technical", "financial"):
        begun.append(await parts.conversation(site, department=department))
        clock.advance(1)
    await parts.conversations.say_as_operator(begun[0].id, new_id(), "Omar", "It is being mended", "ref-00000001")
    luka = await parts.operator("Luka", capacity=1, departments=(technical, financial))
    await parts.presence.arrive(luka.id)
    await parts.dispatcher.turn()
    assert (await state_of(parts, begun[0].id)).operator_id == luka.id


async def test_of_two_colleagues_who_reply_at_once_one_has_it(parts: Parts) -> None:
    site, departments = await parts.furnish()
    people = [await parts.operator(name, departments=(departments[0].id,)) for name in ("Ana", "Luka", "Nika")]
    for _ in range(5):
        found = await parts.conversation(site)
        replies = await asyncio.gather(
            *(parts.pairing.may_say(found.id, one) for one in people), return_exceptions=True
        )
        assert Counter(type(one) for one in replies) == {type(None): 1, NotYours: 2}
        winner = people[replies.index(None)]
        assert (await state_of(parts, found.id)).operator_id == winner.id
    await check_invariants(parts)


async def test_who_is_deactivated_while_they_accept_keeps_nobody_waiting(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)
    await parts.dispatcher.turn()
    operators = Operators(parts.db, clock, Passwords())
    await asyncio.gather(operators.set_active(ana.id, active=False), parts.pairing.accept(found.id, ana.id))
    await parts.dispatcher.turn()
    assert ((await state_of(parts, found.id)).state, (await operator_now(parts, ana.id)).load) == ("waiting", 0)


async def test_a_dead_process_takes_its_operators_with_it(parts: Parts, db: Database, clock: FakeClock) -> None:
    _, departments = await parts.furnish()
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    dead = Parts(db, clock)
    await dead.presence.start()
    await dead.presence.arrive(ana.id)
    assert (await operator_now(parts, ana.id)).present
    lost: list[str] = []
    dead.presence.on_lost.append(lambda: lost.append("clients are sent elsewhere"))
    epoch = dead.presence.process_id
    await parts.presence.bury()
    await watch(parts, clock, DEAD_SECONDS - 1)
    assert (await operator_now(parts, ana.id)).present
    await watch(parts, clock, 2)
    assert not (await operator_now(parts, ana.id)).present
    # It only slept: it changes no row, takes a new epoch, and whoever comes in again is there.
    assert not await dead.presence.beat()
    assert dead.presence.process_id != epoch
    assert lost == ["clients are sent elsewhere"]
    await dead.presence.depart(ana.id)
    assert not (await operator_now(parts, ana.id)).present
    await dead.presence.arrive(ana.id)
    assert (await operator_now(parts, ana.id)).present


async def test_take_transfer_and_end_keep_the_count(parts: Parts) -> None:
    site, departments = await parts.furnish()
    technical, financial = (department.id for department in departments)
    ana = await parts.operator("Ana", departments=(technical,))
    luka = await parts.operator("Luka", capacity=1, departments=(technical, financial))
    for operator in (ana, luka):
        await parts.presence.arrive(operator.id)
    found = await parts.conversation(site)
    await parts.pairing.take(None, ana)
    with pytest.raises(NothingWaiting):
        await parts.pairing.take(None, ana)
    with pytest.raises(NoteMissing):
        await parts.pairing.transfer(found.id, ana, " ", operator_id=luka.id, department=None, ref="ref-00000001")
    with pytest.raises(NoSuchTarget):
        await parts.pairing.transfer(found.id, ana, "x", operator_id=new_id(), department=None, ref="ref-00000001")
    for _ in range(2):  # a resend changes nothing
        await parts.pairing.transfer(
            found.id, ana, "VAT question", operator_id=luka.id, department=None, ref="ref-00000002"
        )
    assert (await state_of(parts, found.id)).operator_id == luka.id
    with pytest.raises(NotYours):
        await parts.pairing.may_say(found.id, ana)
    await parts.pairing.may_say(found.id, luka)
    assert (await state_of(parts, found.id)).state == "active"
    other = await parts.conversation(site)
    with pytest.raises(AtCapacity):
        await parts.pairing.transfer(other.id, ana, "x", operator_id=luka.id, department=None, ref="ref-00000003")
    await parts.pairing.transfer(found.id, luka, "x", operator_id=None, department="financial", ref="ref-00000004")
    moved = await state_of(parts, found.id)
    assert (moved.state, moved.department_id) == ("waiting", financial)
    for _ in range(2):
        await parts.pairing.end(found.id, Author("operator", ana.id, "Ana"))
    assert (await state_of(parts, found.id)).state == "ended"
    await check_invariants(parts)


async def test_transfers_that_cross_do_not_block_each_other(parts: Parts) -> None:
    site, departments = await parts.furnish()
    technical = departments[0].id
    ana, luka = [await parts.operator(name, departments=(technical,)) for name in ("Ana", "Luka")]
    for operator in (ana, luka):
        await parts.presence.arrive(operator.id)
    for turn in range(6):
        mine, theirs = await parts.conversation(site), await parts.conversation(site)
        await parts.pairing.take(mine.id, ana)
        await parts.pairing.take(theirs.id, luka)
        transfer = parts.pairing.transfer
        await asyncio.gather(
            transfer(mine.id, ana, "x", operator_id=luka.id, department=None, ref=f"ref-a-{turn:08}"),
            transfer(theirs.id, luka, "x", operator_id=ana.id, department=None, ref=f"ref-b-{turn:08}"),
        )
        await asyncio.gather(parts.pairing.take(mine.id, ana), parts.pairing.take(theirs.id, luka))
        for conversation in (mine, theirs):
            await parts.pairing.end(conversation.id, Author("operator", ana.id))
    await check_invariants(parts)


async def act_at_random(
    process: Parts, chance: random.Random, begun: list[Conversation], people: list[Operator]
) -> None:
    conversation, operator = chance.choice(begun), chance.choice(people)
    match chance.randint(0, 8):
        case 0 | 1:
            await process.pairing.offer_next()
        case 2:
            await process.pairing.accept(conversation.id, operator.id)
        case 3:
            await process.pairing.withdraw(conversation.id, operator.id, "declined")
        case 4:
            await process.pairing.end(conversation.id, Author("operator", operator.id))
        case 5:
            await process.pairing.appear(operator.id, chance.choice(["online", "away", "online"]))
        case 6:
            author = Author("visitor", conversation.visitor_id)
            await process.conversations.say(conversation.id, author, "again", f"ref-{new_id().hex}")
        case 7:
            await process.presence.arrive(operator.id)
        case 8:
            await process.presence.depart(operator.id)


@pytest.mark.parametrize("seed", range(4))
async def test_concurrent_dispatchers_operators_and_visitors_keep_every_rule(
    db: Database, clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 — a story that can be told again
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(running(db, clock)) for _ in range(3)]
        parts = processes[0]
        site, departments = await parts.furnish()
        people = [
            await parts.operator(f"Operator {n}", capacity=chance.randint(1, 3), departments=(departments[0].id,))
            for n in range(4)
        ]
        for n, operator in enumerate(people):
            await processes[n % 3].presence.arrive(operator.id)
        absent = [await parts.operator("Absent", capacity=9, departments=(departments[0].id,)) for _ in range(2)]
        await parts.presence.arrive(absent[1].id)
        await parts.pairing.appear(absent[1].id, "away")
        begun = [await parts.conversation(site, f"visitor {n}") for n in range(12)]

        for _ in range(12):
            work: list[Awaitable[None]] = [
                act_at_random(process, chance, begun, people) for process in processes for _ in range(3)
            ]
            await asyncio.gather(*work)
            await check_invariants(parts)

        # Nobody starves: everybody answers what they are offered and ends it, until the queue is empty.
        operators = table_of(Operator)
        for operator in people:
            await parts.presence.arrive(operator.id)
        async with db.write() as session:
            ready = operators.c.id.in_([operator.id for operator in people])
            await session.execute(update(operators).where(ready).values(status="online"))
        conversations = table_of(Conversation)
        for _ in range(60):
            await asyncio.gather(*(process.dispatcher.turn() for process in processes))
            await check_invariants(parts)
            async with db.read() as session:
                open_ones = (
                    await session.execute(
                        select(conversations.c.id, conversations.c.operator_id).where(conversations.c.state != "ended")
                    )
                ).all()
            if not open_ones:
                break
            for row in open_ones:
                if row.operator_id is not None:
                    await parts.pairing.end(row.id, Author("operator", row.operator_id))
        else:
            pytest.fail("somebody still waits")
        async with db.read() as session:
            assignments = table_of(Assignment)
            wrong = assignments.c.operator_id.in_([operator.id for operator in absent])
            assert (await session.execute(select(assignments.c.id).where(wrong))).first() is None


class SlowFirstWrite:
    """A database whose first write comes second, as a pool may have it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._first = True
        self._second_done = asyncio.Event()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        waits, self._first = self._first, False
        if waits:
            await self._second_done.wait()
        async with self._db.write() as session:
            yield session
        self._second_done.set()


async def test_a_reload_whose_two_writes_overtake_each_other_leaves_the_operator_present(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await parts.operator("Ana")
    await parts.presence.arrive(ana.id)
    monkeypatch.setattr(parts.presence, "_db", SlowFirstWrite(parts.db))
    await asyncio.gather(parts.presence.depart(ana.id), parts.presence.arrive(ana.id))
    assert (await operator_now(parts, ana.id)).present


async def test_who_arrives_at_a_process_that_was_declared_dead_is_present(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    people = [await parts.operator(name) for name in ("Ana", "Luka", "Nika")]
    slept = Parts(db, clock)
    await slept.presence.start()
    await slept.presence.arrive(people[0].id)
    await parts.presence.bury()
    await watch(parts, clock, DEAD_SECONDS + 1)
    await asyncio.gather(*(slept.presence.arrive(one.id) for one in people[1:]))
    assert [(await operator_now(parts, one.id)).present for one in people] == [False, True, True]


async def test_the_ref_of_a_note_is_no_transfer_that_was_done(parts: Parts) -> None:
    site, departments = await parts.furnish()
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    found = await parts.conversation(site)
    await parts.conversations.note(found.id, Author("operator", ana.id, "Ana"), "x", "ref-00000001")
    with pytest.raises(RefTaken):
        await parts.pairing.transfer(found.id, ana, "x", operator_id=None, department="financial", ref="ref-00000001")


async def test_nobody_who_is_gone_is_shown_longer_than_thirty_seconds(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    ana = await parts.operator("Ana")
    killed = Parts(db, clock)
    await killed.presence.start()
    await killed.presence.arrive(ana.id)
    await parts.presence.bury()
    await watch(parts, clock, 28)
    assert not (await operator_now(parts, ana.id)).present


async def test_one_process_decides_at_a_time_and_the_others_do_not_wait(
    postgres_maker: PostgresMaker, clock: FakeClock
) -> None:
    db = Database(postgres_maker.make())
    async with running(db, clock) as first, running(db, clock) as second:
        site, departments = await first.furnish()
        begun = [await first.conversation(site) for _ in range(2)]
        ana = await first.operator("Ana", departments=(departments[0].id,))
        await first.presence.arrive(ana.id)
        async with db.write() as session:
            assert await steps.held(session, departments[0].id)
            assert await second.pairing.offer_next() is None
            # Somebody who comes in meanwhile is not held up: a new row needs a weaker lock on the department.
            begun.append(await second.conversation(site))
        assert await second.pairing.offer_next()
        assert (await state_of(first, begun[0].id)).operator_id == ana.id
    await db.close()


async def test_many_processes_offer_each_conversation_once_and_in_order(db: Database, clock: FakeClock) -> None:
    crowd = await gather(db, clock.now(), waiting=60, operators=10, capacity=3)
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(running(db, clock)) for _ in range(3)]

        async def decide(parts: Parts) -> None:
            while await parts.pairing.offer_next() is not False:
                pass

        await asyncio.gather(*(decide(parts) for parts in processes))
        await check_invariants(processes[0])
        assignments = table_of(Assignment)
        async with db.read() as session:
            offered = set((await session.execute(select(assignments.c.conversation_id))).scalars())
        assert offered == set(crowd.waiting[:30])
