"""With thousands open and years of history behind, the list, its next and the search read no whole table."""

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from sqlmodel import select

from chat.db import Database
from chat.ids import new_id
from chat.people.models import Operator
from escalation.client_area.conversations_store import talks_of
from escalation.customers.reader import CustomerReader
from escalation.models import SlaClock, SlaEvent, Ticket
from escalation.queue import parse_place, place_of
from escalation.reach import OperatorReader, reader_of
from escalation.sla.alerts import alerts_for
from escalation.sla.measured import measure_tickets
from escalation.sla.policies import policies_in
from escalation.states import HIGH, NORMAL
from escalation.store import Wanted, queued
from escalation.worklist import counts, free_work, work_page
from tests.support.clock import FakeClock
from tests.support.crowd import Crowd, analyse, fill, gather
from tests.support.databases import Filled
from tests.support.plans import Statements, watched
from tests.support.tickets import Company, company

LONG = ("ticket", "conversation", "visitor")


async def _crowd(db: Database) -> Crowd:
    now = FakeClock().now()
    crowd = await gather(db, now, waiting=2000, operators=25, ended=4000)
    first = Ticket(
        id=new_id(), number="", department_id=crowd.departments[0], state="open", open=True, contact_channel="chat",
        subject="Something", environment={}, created_at=now, changed_at=now,
    ).model_dump()  # fmt: skip
    rows = []
    for n in range(9000):
        is_open, since = n % 3 == 0, now - timedelta(seconds=n)
        row = first | {
            "id": new_id(), "number": f"T-25-{n:06}", "department_id": crowd.departments[n % 2],
            "priority": HIGH if n % 20 == 0 else NORMAL, "state": "open" if is_open else "solved", "open": is_open,
            "operators_turn": is_open and n % 2 == 0, "operator_id": crowd.operators[n % 25] if n % 7 else None,
            "waiting_since": since, "due_at": since + timedelta(minutes=10), "created_at": since, "changed_at": since,
        }  # fmt: skip
        rows.append(row | {"place": place_of(cast("Ticket", SimpleNamespace(**row)))})
    await fill(db, Ticket, rows)
    await analyse(db)
    return crowd


CROWDED = Filled(_crowd)


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def readers(db: Database, crowd: Crowd) -> list[OperatorReader]:
    """One of the departments, and one who supervises."""
    async with db.read() as session:
        operator = await session.get_one(Operator, crowd.operators[0])
        plain = await reader_of(session, operator)
    return [plain, OperatorReader(plain.operator_id, True, plain.departments)]


async def reads_no_whole_table(statements: Statements, db: Database) -> None:
    assert statements.sent
    for table in LONG:
        assert await statements.scans(db, table) == []


@pytest.mark.parametrize("lane", ["open", "mine", "solved"])
async def test_a_page_and_the_next_one(acme: Company, db: Database, crowd: Crowd, lane: str) -> None:
    policies = await policies_in(db)
    wanted = {"open": Wanted(), "mine": Wanted(mine=True), "solved": Wanted(lane="solved")}[lane]
    for reader in await readers(db, crowd):
        async with db.read() as session:
            with watched(db) as statements:
                page = await work_page(session, reader, policies, wanted)
                assert parse_place(page.next) is not None
                after = await work_page(session, reader, policies, wanted, after=page.next)
        assert len(page.rows) == len(after.rows) == 50
        assert page.rows[-1].place < after.rows[0].place
        await reads_no_whole_table(statements, db)
        if not db.is_sqlite:
            assert not any("OFFSET" in statement for statement, _ in statements.sent)


async def test_a_customers_conversations_are_found_among_all(db: Database, crowd: Crowd) -> None:
    reader = CustomerReader(
        new_id(), "Rita", new_id(), "A-1", "Acme", can_see_tickets=True, can_see_billing=True, locale="en", time_zone=""
    )
    async with db.read() as session:
        with watched(db) as statements:
            assert (await talks_of(session, reader)).rows == []
    await reads_no_whole_table(statements, db)


async def test_ones_alarms_are_found_among_all_that_ring(
    acme: Company, db: Database, crowd: Crowd, clock: FakeClock
) -> None:
    now, first, seconds = clock.now(), timedelta(minutes=10), timedelta(seconds=1)
    model = SlaClock(
        id=new_id(), subject_kind="ticket", subject_id=new_id(), metric="first_reply", target_seconds=600,
        started_at=now - first, state="running",
    ).model_dump()  # fmt: skip
    async with db.read() as session:
        tickets = list(await session.exec(select(Ticket.id).where(Ticket.operators_turn)))
        talks = crowd.waiting
    clocks = [
        model | {
            "id": new_id(), "subject_kind": kind, "subject_id": subject, "due_at": now - n * seconds,
            "breach_at": now - n * seconds, "breached_at": now - n * seconds, "alarmed_at": now,
            "offered_to": crowd.operators[n % 25],
        }
        for kind, subjects in (("ticket", tickets), ("conversation", talks))
        for n, subject in enumerate(subjects)
    ]  # fmt: skip
    met = [
        one | {"id": new_id(), "instance": n, "state": "met", "met_at": now, "breached_at": None, "alarmed_at": None,
               "offered_to": None}
        for one in clocks
        for n in (2, 3)
    ]  # fmt: skip
    steps = (("alarm", "assigned"), ("breached", ""))
    events = [
        {"id": new_id(), "clock_id": one["id"], "type": kind, "n": 1, "data": {"step": step}, "at": now}
        for one in [*clocks, *met]
        for kind, step in steps
    ]
    await fill(db, SlaClock, [*clocks, *met])
    await fill(db, SlaEvent, events)
    await analyse(db)
    async with db.read() as session:
        busy = await session.get_one(Operator, crowd.operators[0])
        boss = Operator(**(busy.model_dump() | {"role": "supervisor"}))
        for operator, shown in ((busy, 5), (boss, 5), (acme.omar, 0)):
            with watched(db) as statements:
                assert len(await alerts_for(session, operator, now)) == shown
            for table in (*LONG, "sla_clock", "sla_event"):
                assert await statements.scans(db, table) == []
        with watched(db) as statements:
            assert all(row.breached for row in await queued(session, tickets[:50]))
        # Of the rows that are shown, not of all that run late: PostgreSQL knows which are fewer.
        assert not (db.is_sqlite and any("ix_sla_clock_state" in plan for _, plan in await statements.plans(db)))
        with watched(db) as statements:
            assert (await measure_tickets(session, ["chat"], now + timedelta(days=31))).n == 0
    assert await statements.scans(db, "sla_clock") == []


async def test_what_asks_for_a_reason_is_found_among_all_clocks(db: Database, crowd: Crowd, clock: FakeClock) -> None:
    long_ago = clock.now() - timedelta(days=30)
    met = SlaClock(
        id=new_id(), subject_kind="conversation", subject_id=new_id(), metric="first_reply", target_seconds=600,
        started_at=long_ago, due_at=long_ago, state="met", met_at=long_ago,
    ).model_dump()  # fmt: skip
    rows = [met | {"id": new_id(), "instance": n, "breached_at": long_ago if n % 9 else None} for n in range(4000)]
    await fill(db, SlaClock, rows)
    await analyse(db)
    async with db.read() as session:
        operator = await session.get_one(Operator, crowd.operators[0])
        with watched(db) as statements:
            assert await alerts_for(session, operator, clock.now()) == []
    assert any("ix_sla_clock_state_breached_at" in plan for _, plan in await statements.plans(db))


async def test_the_tabs_and_what_is_next(acme: Company, db: Database, crowd: Crowd) -> None:
    policies = await policies_in(db)
    for reader in await readers(db, crowd):
        async with db.read() as session:
            with watched(db) as statements:
                assert await counts(session, reader) == {"open": 100, "mine": 100}
                assert len(await free_work(session, reader, policies)) == 20
        await reads_no_whole_table(statements, db)
