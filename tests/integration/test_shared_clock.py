"""Processes whose machines disagree about the time, on one database: they are of one mind about who came first."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from starlette.responses import Response

from chat.clock import Clock, SystemClock
from chat.conversations import store
from chat.conversations.entry import Author
from chat.db import Database
from chat.ids import new_id
from chat.pairing import waiting
from chat.people.sign_in import Login, SignIn
from chat.settings import load_settings
from chat.shared_clock import SharedClock, clock_of
from tests.support.clock import FakeClock
from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.parts import running

MINUTES = (5.0, 0.0, -5.0)


class Skewed(SystemClock):
    """Of a machine that is so many minutes ahead."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.later = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=self.minutes)

    def monotonic(self) -> float:
        return super().monotonic() + self.later


@pytest.fixture
async def db(postgres_maker: PostgresMaker) -> AsyncIterator[Database]:
    database = Database(postgres_maker.make())
    yield database
    await database.close()


async def shared(db: Database, clock: Clock) -> SharedClock:
    made = SharedClock(db, clock)
    await made.look()
    return made


async def test_people_who_come_to_hubs_that_are_minutes_apart_are_served_in_their_order(db: Database) -> None:
    machines = Skewed(5), Skewed(-5)
    ahead, behind = [await shared(db, machine) for machine in machines]
    async with running(db, ahead) as one, running(db, behind) as other:
        site, departments = await one.furnish()
        begun = []
        for process in (one, other, other, one, other, one):
            begun.append((await process.conversation(site)).id)
            for machine in machines:
                machine.later += 1  # an answer of the database may have been on its way for longer than this took
        async with db.read() as session:
            line = await waiting.first(session, [departments[0].id], limit=10)
        assert [waiter.id for waiter in line] == begun
        ana = await other.operator("Ana", capacity=10, departments=(departments[0].id,))
        await other.presence.arrive(ana.id)
        assert [await process.pairing.take(None, ana) for process in (other, one, one, other, one, other)] == begun


async def test_a_reply_through_another_hub_took_as_long_as_it_did(db: Database) -> None:
    ahead, behind = await shared(db, Skewed(5)), await shared(db, Skewed(-5))
    async with running(db, ahead) as one, running(db, behind) as other:
        site, _ = await one.furnish()
        for first, second in ((one, other), (other, one)):
            found = await first.conversation(site)
            await second.conversations.say(found.id, Author("operator", new_id(), "Omar"), "Hello", "ref-00000001")
            async with db.read() as session:
                answered = await store.conversation(session, found.id)
            assert answered is not None
            assert answered.first_reply_seconds is not None
            assert -1 < answered.first_reply_seconds < 60


async def test_a_pass_for_a_socket_is_good_at_every_hub(db: Database) -> None:
    settings = load_settings({}, base_url="http://127.0.0.1:8000")
    hubs = [SignIn(db, await shared(db, Skewed(minutes)), settings) for minutes in MINUTES]
    async with running(db, SystemClock()) as parts:
        ana = await parts.operator("Ana")
    begun = await hubs[0].begin(ana, Response())
    assert begun is not None
    login = Login(ana, begun)
    for giver in hubs:
        for taker in hubs:
            assert await taker.use_socket_pass(await giver.make_socket_pass(login)) is not None


async def test_who_sets_the_clock_of_a_machine_moves_nothing(db: Database) -> None:
    machine = Skewed(5)
    clock = await shared(db, machine)
    before = clock.now()
    machine.minutes = -60
    assert before <= clock.now() < before + timedelta(minutes=1)


async def test_a_stopwatch_that_went_wrong_is_corrected(db: Database) -> None:
    stopwatch = FakeClock()
    clock = await shared(db, stopwatch)
    right = clock.now()
    stopwatch.advance(3600)
    assert clock.now() == right + timedelta(hours=1)
    await clock.look()
    assert right <= clock.now() < right + timedelta(minutes=1)


async def test_a_short_program_goes_by_the_database_too(db: Database, sqlite_maker: SqliteMaker) -> None:
    assert isinstance(await clock_of(db), SharedClock)
    alone = Database(sqlite_maker.make())
    assert isinstance(await clock_of(alone), SystemClock)
    await alone.close()
