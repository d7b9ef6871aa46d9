"""What is over goes, what may be needed stays, and a job that kills whoever does it stands still."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from chat.db import Database, table_of
from chat.ids import new_id
from chat.operations.housekeeping import BATCH, Housekeeping
from chat.outbox import LEASE, PAUSES, OutboxRow
from chat.people.models import LoginSession, OneTimeSecret
from tests.support.clock import FakeClock
from tests.support.parts import Parts, running


@pytest.fixture
async def parts(db: Database, clock: FakeClock) -> AsyncIterator[Parts]:
    async with running(db, clock) as parts:
        yield parts


async def count(db: Database, model: type[OutboxRow | LoginSession | OneTimeSecret]) -> int:
    async with db.read() as session:
        return int((await session.execute(select(func.count()).select_from(table_of(model)))).scalar_one())


async def test_finished_rows_go_in_batches_and_others_stay(parts: Parts, clock: FakeClock) -> None:
    done: list[object] = []

    async def handle(payload: dict[str, object]) -> None:
        done.append(payload)

    async with parts.db.write() as session:
        for number in range(BATCH + 10):
            await parts.outbox.add(session, "x", {"n": number}, f"x:{number}")
    async with parts.db.write() as session:
        await session.execute(update(table_of(OutboxRow)).values(state="done"))
    clock.advance(timedelta(days=29).total_seconds())
    async with parts.db.write() as session:
        await parts.outbox.add(session, "x", {}, "still waiting")
    keeping = Housekeeping(parts.db, clock)
    assert await keeping.clean() == 0
    clock.advance(timedelta(days=2).total_seconds())
    assert await keeping.clean() == BATCH + 10
    parts.outbox.on("x", handle)
    assert await parts.outbox.work_once()
    assert done == [{}]


async def test_secrets_and_sign_ins_that_are_over_go(parts: Parts, clock: FakeClock) -> None:
    omar = await parts.operator("Omar")
    now = clock.now()

    def login(days: int, *, ended: bool) -> LoginSession:
        return LoginSession(
            id=new_id(),
            secret_hash=new_id().hex,
            operator_id=omar.id,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(days=days),
            ended_at=now if ended else None,
        )

    signed_out, run_out, alive = login(400, ended=True), login(1, ended=False), login(400, ended=False)
    async with parts.db.write() as session:
        session.add_all([signed_out, run_out, alive])
        await session.flush()
        for secret, days, of in (("a", 0, run_out), ("b", 100, alive)):
            until = now + timedelta(days=days)
            session.add(
                OneTimeSecret(
                    secret_hash=secret, purpose="socket", operator_id=omar.id, login_session_id=of.id, expires_at=until
                )
            )
    keeping = Housekeeping(parts.db, clock)
    assert await keeping.clean() == 0
    clock.advance(timedelta(days=2).total_seconds())
    assert await keeping.clean() == 1
    assert await count(parts.db, OneTimeSecret) == 1
    clock.advance(timedelta(days=40).total_seconds())
    assert await keeping.clean() == 2
    async with parts.db.read() as session:
        assert await session.get(LoginSession, alive.id) is not None


async def test_a_job_that_kills_its_worker_is_parked_and_the_next_goes_on(parts: Parts, clock: FakeClock) -> None:
    class Killed(BaseException):
        """As SIGKILL: nothing after it is done."""

    tries, others = 0, 0

    async def kills(_payload: dict[str, object]) -> None:
        nonlocal tries
        tries += 1
        raise Killed

    async def works(_payload: dict[str, object]) -> None:
        nonlocal others
        others += 1

    parts.outbox.on("kills", kills)
    async with parts.db.write() as session:
        await parts.outbox.add(session, "kills", {}, "kills")
    for _ in range(len(PAUSES) + 1):
        with pytest.raises(Killed):
            await parts.outbox.work_once()
        clock.advance(LEASE.total_seconds() + 1)
    parts.outbox.on("works", works)
    async with parts.db.write() as session:
        await parts.outbox.add(session, "works", {}, "works")
    assert not await parts.outbox.work_once()
    assert await parts.outbox.work_once()
    assert (tries, others) == (len(PAUSES) + 1, 1)
    rows = table_of(OutboxRow)
    async with parts.db.read() as session:
        states = {row.kind: row.state for row in await session.execute(select(rows.c.kind, rows.c.state))}
    assert states == {"kills": "dead", "works": "done"}
