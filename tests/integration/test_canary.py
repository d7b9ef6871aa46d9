"""The canary talks over real sockets, is seen by nobody, leaves nothing behind, and notices what people would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from chat.clock import SystemClock
from chat.conversations.models import CANARY as CANARY_STATE
from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.operations.canary import Canary
from chat.operations.canary_rows import LIFE, CanaryRows
from chat.people.models import CANARY, LoginSession, OneTimeSecret, Operator, Visitor
from tests.support.clock import FakeClock
from tests.support.databases import PostgresMaker
from tests.support.program import Running, program

TOKEN = "a token of more than sixteen characters"


@asynccontextmanager
async def singing(folder: Path, url: str | None = None, **more: Any) -> AsyncIterator[tuple[Running, Canary]]:
    """A program and a canary that talks when it is told to."""
    async with program(folder, url, **more) as running:
        desk = running.desk
        canary = Canary(running.settings, CanaryRows(desk.db, desk.clock), desk.sign_in, desk.clock, lost_seconds=5)
        try:
            yield running, canary
        finally:
            await canary._hang_up()


async def counts(db: Database) -> dict[str, int]:
    async with db.read() as session:
        return {
            model.__name__: (await session.execute(select(func.count()).select_from(table_of(model)))).scalar_one()
            for model in (Conversation, Message, Visitor, LoginSession, OneTimeSecret)
        }


async def test_it_talks_both_ways_through_the_public_address(tmp_path: Path, database_url: str) -> None:
    async with singing(tmp_path, database_url) as (_, canary):
        for round_number in range(1, 4):
            assert await canary.talk()
            assert (canary.state, canary.lost, canary.seconds.number) == ("well", 0, 2 * round_number)


async def test_nobody_sees_it(tmp_path: Path) -> None:
    async with singing(tmp_path, metrics_token=TOKEN) as (running, canary):
        boss = await running.operator("Sara", role="supervisor")
        console = await running.console(boss)
        assert await canary.talk()
        real = await running.visitor_who_said("A real question")
        await console.until("listed", lambda frame: frame["conversation"] == real.conversation)
        assert await canary.talk()
        await real.say("Another word")
        await console.until("listed", lambda frame: frame["unread"] == 2)
        assert {frame["conversation"] for frame in console.frames if frame["type"] == "listed"} == {real.conversation}
        offered = [frame for frame in console.frames if frame["type"] == "offered"]
        assert all(frame["conversation"] == real.conversation for frame in offered)
        assert console.browser is not None
        inbox = (await console.browser.get("/console/inbox.json")).json()
        assert [row["conversation"] for row in inbox["rows"]] == [real.conversation]
        assert inbox["online"] == 1
        page = (await console.browser.get("/console")).text
        assert "Canary" not in page
        async with running.desk.db.read() as session:
            found = await session.execute(
                select(table_of(Conversation).c.id).where(col(Conversation.state) == CANARY_STATE)
            )
            hidden = found.scalar_one()
        assert (await console.browser.get(f"/console/conversations/{hidden}")).status_code == 404
        transfer = (await console.browser.get(f"/console/conversations/{real.conversation}/transfer")).text
        assert "Canary" not in transfer
        assert (await running.visitor()).welcomed["staff"]["online"] == 1
        assert running.desk.metrics is not None
        text = (await running.desk.metrics.scrape.text()).decode()
        assert "nightdesk_conversations_open 1.0" in text
        assert 'nightdesk_operators{presence="online"} 1.0' in text
        assert 'nightdesk_operators{presence="away"} 0.0' in text


async def test_its_rows_go_with_it_and_those_of_dead_processes_too(tmp_path: Path, database_url: str) -> None:
    clock = FakeClock()
    db = Database(database_url)
    async with program(tmp_path, database_url) as running:
        before = await counts(db)
        rows = CanaryRows(db, clock)
        left_behind = [await rows.furnish() for _ in range(3)]
        assert all(left_behind)
        clock.advance(2 * LIFE.total_seconds() + 1)
        canary = Canary(running.settings, CanaryRows(running.desk.db, clock), running.desk.sign_in, clock)
        # The sign-in of a fake clock has run out for the program's own; what is counted is what was forgotten.
        pair = await canary._rows.furnish()
        assert pair is not None
        assert (await counts(db))["Conversation"] == before["Conversation"] + 1
        await canary._rows.forget(pair)
    assert await counts(db) == before
    async with db.read() as session:
        operators = (await session.execute(select(Operator).where(col(Operator.role) == CANARY))).scalars().all()
    assert len(operators) == 1
    await db.close()


async def test_after_an_hour_it_begins_anew_and_rows_do_not_grow(tmp_path: Path) -> None:
    class Leaping(SystemClock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    clock = Leaping()
    async with program(tmp_path) as running:
        desk = running.desk
        canary = Canary(running.settings, CanaryRows(desk.db, clock), desk.sign_in, clock)
        assert await canary.talk()
        once = await counts(desk.db)
        for _ in range(3):
            clock.ahead += LIFE.total_seconds() + 1
            assert await canary.talk()
            assert await counts(desk.db) == once
        await canary._hang_up()


async def test_a_word_that_does_not_arrive_is_lost_and_told(tmp_path: Path) -> None:
    async with singing(tmp_path) as (running, canary):
        assert await canary.talk()
        canary._lost_after = 0.5
        await running.desk.conversations.journal.stop()
        assert not await canary.talk()
        assert (canary.state, canary.lost) == ("lost", 1)
        await running.desk.conversations.journal.start()
        canary._lost_after = 5
        assert await canary.talk()
        assert (canary.state, canary.lost) == ("well", 1)


async def test_without_its_rows_it_is_well_again_with_the_next_word(tmp_path: Path) -> None:
    async with singing(tmp_path) as (running, canary):
        assert await canary.talk()
        assert canary._pair is not None
        await canary._rows.forget(canary._pair)
        assert not await canary.talk()
        assert await canary.talk()
        assert (canary.state, canary.lost) == ("well", 1)
        assert (await counts(running.desk.db))["Conversation"] == 1


async def test_a_public_address_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    async with singing(tmp_path) as (_, canary):
        canary._public = "http://127.0.0.1:1"
        assert not await canary.talk()
        assert (canary.state, canary.lost) == ("lost", 1)


async def test_without_a_site_there_is_nobody_to_miss_it(tmp_path: Path) -> None:
    async with singing(tmp_path) as (running, canary):
        async with running.desk.db.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("DELETE FROM site")
        assert await canary.talk()
        assert (canary.lost, canary.seconds.number) == (0, 0)


@pytest.mark.parametrize(("locale", "word"), [("en", "Messages may not arrive"), ("sl", "Sporočila morda ne")])
async def test_the_console_has_a_word_for_it_in_both_languages(tmp_path: Path, locale: str, word: str) -> None:
    async with program(tmp_path, canary=True) as running:
        ana = await running.signed_in(await running.operator("Ana", locale=locale))
        page = (await ana.get("/console")).text
        assert word in page
        assert "canary.js" in page
        assert (await ana.get("/console/canary.json")).json() == {"state": "new"}
        assert running.desk.canary is not None
        running.desk.canary.state = "lost"
        assert (await ana.get("/console/canary.json")).json() == {"state": "lost"}
        ana.cookies.clear()
        assert (await ana.get("/console/canary.json")).status_code == 401
        await ana.aclose()
    async with program(tmp_path) as running:
        ana = await running.signed_in(await running.operator("Ana"))
        assert 'id="canary"' not in (await ana.get("/console")).text
        assert (await ana.get("/console/canary.json")).status_code == 404
        await ana.aclose()


async def test_in_a_program_it_runs_by_itself_and_feeds_the_metrics(tmp_path: Path) -> None:
    async with program(tmp_path, canary=True, metrics_token=TOKEN) as running:
        canary = running.desk.canary
        assert canary is not None
        assert canary.state == "new"
        assert await canary.talk()
        assert running.desk.metrics is not None
        text = (await running.desk.metrics.scrape.text()).decode()
        assert "nightdesk_canary_seconds_count 2.0" in text
        assert "nightdesk_canary_lost_total 0.0" in text
        db_url = running.settings.effective_database_url
    db = Database(db_url)
    assert (await counts(db))["Conversation"] == 0
    await db.close()


async def test_where_the_proxy_chose_another_process_its_words_cross_the_bus(
    tmp_path: Path, postgres_maker: PostgresMaker
) -> None:
    url, broker = postgres_maker.make(), MemoryBroker()
    async with (
        program(tmp_path, url, bus=MemoryBus(broker)) as near,
        program(tmp_path, url, bus=MemoryBus(broker), base_url=near.base_url) as far,
    ):
        desk = far.desk
        canary = Canary(far.settings, CanaryRows(desk.db, desk.clock), desk.sign_in, desk.clock)
        assert await canary.talk()
        assert (len(near.desk.visitor_sockets.all), len(near.desk.operator_sockets.all)) == (1, 0)
        assert (len(desk.visitor_sockets.all), len(desk.operator_sockets.all)) == (0, 1)
        assert (canary.state, canary.seconds.number) == ("well", 2)
        await canary._hang_up()
