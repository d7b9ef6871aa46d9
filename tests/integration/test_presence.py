"""Leases with epochs on both databases: who is there, who is not, and for how long it may be wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations import store
from chat.db import Database, DatabaseAway
from chat.pairing.leases import BEAT_SECONDS, DEAD_SECONDS
from chat.people.models import Operator
from tests.support.clock import FakeClock
from tests.support.parts import Parts, running


@pytest.fixture
async def parts(db: Database, clock: FakeClock) -> AsyncIterator[Parts]:
    async with running(db, clock) as parts:
        yield parts


async def present(parts: Parts, operator_id: UUID) -> bool:
    async with parts.db.read() as session:
        return (await session.get_one(Operator, operator_id)).present


async def live(clock: FakeClock, seconds: float, *processes: Parts) -> None:
    for _ in range(round(seconds)):
        clock.advance(1)
        for process in processes:
            await process.presence.turn()
            await process.dispatcher.turn()


async def test_processes_that_beat_keep_their_operators_whatever_the_wall_clock_says(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    ana, luka = await parts.operator("Ana"), await parts.operator("Luka")
    async with running(db, clock) as other:
        await parts.presence.arrive(ana.id)
        await other.presence.arrive(luka.id)
        for hours in (1, -1, -1, 1):
            clock.set(clock.now() + timedelta(hours=hours))
            await live(clock, 2 * BEAT_SECONDS, parts, other)
        assert await present(parts, ana.id)
        assert await present(parts, luka.id)


async def test_a_conversation_waits_less_than_a_minute_for_an_operator_whose_process_was_killed(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    killed = Parts(db, clock)
    await killed.presence.start()
    await killed.presence.arrive(ana.id)
    await parts.pairing.take(found.id, ana)
    await live(clock, 44, parts)
    async with db.read() as session:
        assert (await store.conversation(session, found.id) or found).state == "active"
    await live(clock, 8, parts)
    async with db.read() as session:
        now = await store.conversation(session, found.id) or found
        events = await store.entries_after(session, found.id, "public", 0, 100)
    assert now.state == "waiting"
    assert [entry.data.get("event") for entry in events][-2:] == ["returned", "queued"]


async def test_an_operator_on_a_dead_line_is_missing_since_they_were_last_heard(parts: Parts, clock: FakeClock) -> None:
    site, departments = await parts.furnish()
    found = await parts.conversation(site)
    ana = await parts.operator("Ana", departments=(departments[0].id,))
    await parts.presence.arrive(ana.id)
    await parts.pairing.take(found.id, ana)
    await parts.presence.depart(ana.id, unheard=25)
    await live(clock, 22, parts)
    async with parts.db.read() as session:
        assert (await store.conversation(session, found.id) or found).state == "waiting"


async def test_processes_that_slept_together_do_not_end_each_other(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    ana = await parts.operator("Ana")
    async with running(db, clock) as other:
        await other.presence.arrive(ana.id)
        await live(clock, 3, parts, other)
        clock.advance(3600)
        await live(clock, 2 * DEAD_SECONDS, parts, other)
        assert await present(parts, ana.id)


class Unreachable:
    """A database that is away until `back`."""

    unwritten_seconds = 0.0

    def __init__(self, db: Database) -> None:
        self._db = db
        self.back = False

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        if not self.back:
            raise DatabaseAway
        async with self._db.write() as session:
            yield session

    read = write


async def test_a_departure_that_could_not_be_written_is_written_when_the_database_is_back(
    parts: Parts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await parts.operator("Ana")
    await parts.presence.arrive(ana.id)
    database = Unreachable(parts.db)
    monkeypatch.setattr(parts.presence, "_db", database)
    with pytest.raises(DatabaseAway):
        await parts.presence.depart(ana.id)
    database.back = True
    await live(clock, 1, parts)
    assert not await present(parts, ana.id)


async def test_who_cannot_beat_for_so_long_sends_its_clients_elsewhere_once(
    parts: Parts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[float] = []
    parts.presence.on_lost.append(lambda: lost.append(clock.monotonic()))
    began = clock.monotonic()
    database = Unreachable(parts.db)
    monkeypatch.setattr(parts.presence, "_db", database)
    for _ in range(60):
        clock.advance(1)
        with pytest.raises(DatabaseAway):
            await parts.presence.turn()
    assert lost == [began + DEAD_SECONDS]
    database.back = True
    await live(clock, BEAT_SECONDS, parts)
    assert len(lost) == 1


async def test_who_polls_is_present_between_two_polls_and_not_after(parts: Parts, clock: FakeClock) -> None:
    ana = await parts.operator("Ana")
    await parts.presence.arrive(ana.id)
    await parts.presence.depart(ana.id, lingers=10)
    await live(clock, 9, parts)
    assert await present(parts, ana.id)
    await parts.presence.arrive(ana.id)
    await live(clock, 5, parts)
    assert await present(parts, ana.id)
    await parts.presence.depart(ana.id, lingers=10)
    await live(clock, 11, parts)
    assert not await present(parts, ana.id)


async def test_a_process_that_is_alone_inherits_nothing(db: Database, clock: FakeClock) -> None:
    killed = Parts(db, clock)
    await killed.presence.start()
    ana = await killed.operator("Ana")
    await killed.presence.arrive(ana.id)
    again = Parts(db, clock)
    await again.presence.start(alone=True)
    assert not await present(again, ana.id)


async def test_the_end_of_a_lease_is_heard_by_every_process(parts: Parts, db: Database, clock: FakeClock) -> None:
    killed = Parts(db, clock)
    await killed.presence.start()
    async with running(db, clock) as other:
        ended: dict[str, set[UUID]] = {"parts": set(), "other": set()}
        parts.presence.on_ended.append(ended["parts"].update)
        other.presence.on_ended.append(ended["other"].update)
        await live(clock, DEAD_SECONDS + 3, parts, other)
        assert ended == {"parts": {killed.presence.process_id}, "other": {killed.presence.process_id}}
