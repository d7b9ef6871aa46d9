"""Opening the operators' list over 50,000 open tickets and conversations, as the server answers it: queries and page.

First page, a page in the middle, one's own, and one department; then `w`. Peer: the same rows the obvious way, sorted
and skipped by number, with the count of all.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import func, insert, select
from sqlmodel import col

from chat.clock import SystemClock
from chat.db import Database, table_of
from chat.ids import new_id
from chat.migrations import schema
from chat.people.models import Operator
from escalation.models import Ticket
from escalation.queue import place_of
from escalation.states import HIGH, NORMAL
from tests.support.clock import FakeClock
from tests.support.crowd import analyse, gather
from tests.support.databases import PostgresMaker
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.servers import DurablePostgres
from tests.support.tickets import company

TICKETS, CONVERSATIONS, SOLVED, OPERATORS = 40_000, 10_000, 50_000, 50
TIMES = 60
CHUNK = 2000


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {"open_tickets": TICKETS, "waiting": CONVERSATIONS, "solved": SOLVED, "bar_ms": 100}
    with tempfile.TemporaryDirectory(prefix="nightdesk-desk-") as folder:
        figures["sqlite"] = asyncio.run(_measure(f"sqlite:///{Path(folder) / 'desk.sqlite3'}"))
    server = DurablePostgres()
    try:
        server.start()
        figures["postgresql"] = asyncio.run(_measure(PostgresMaker(server).make(empty=True)))
    finally:
        server.remove()
    return figures


async def _measure(url: str) -> dict[str, Any]:
    db = Database(url)
    await schema.migrate(db)
    clock = FakeClock(SystemClock().now())
    async with company(db, clock) as acme:
        crowd = await gather(db, clock.now(), waiting=CONVERSATIONS, operators=OPERATORS)
        places = await _fill(db, clock, crowd.departments, crowd.operators)
        async with db.read() as session:
            operator = await session.get_one(Operator, crowd.operators[0])
        sign_in = SignedIn(operator)
        http = httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE)
        office = Office(acme, http, sign_in)
        slug = f"d{crowd.departments[0].hex}"

        async def page(path: str) -> None:
            answer = await http.get(path)
            if answer.status_code != 200 or answer.text.count("<tr") < 20:
                raise RuntimeError(f"{path}: {answer.status_code}, {answer.text.count('<tr')} rows")

        async def take() -> None:
            answer = await office.post("/desk/next", ref=uuid4().hex)
            if "said" in answer.headers["location"]:
                raise RuntimeError("nothing was taken")

        found = {
            "first_page": await _times(lambda: page("/desk/tickets"), TIMES),
            "page_in_the_middle": await _times(lambda: page(f"/desk/tickets?after={places[len(places) // 2]}"), TIMES),
            "mine": await _times(lambda: page("/desk/tickets?lane=mine"), TIMES),
            "one_department": await _times(lambda: page(f"/desk/tickets?department={slug}"), TIMES),
            "solved": await _times(lambda: page("/desk/tickets?lane=solved"), TIMES),
            "take_next": await _times(take, TIMES),
        }
        obvious = await _times(lambda: _obvious(db), 10)
        await http.aclose()
    await db.close()
    return {**found, "peers": {"sorted, skipped and counted, without the page": obvious}}


async def _fill(db: Database, clock: FakeClock, departments: list[UUID], operators: list[UUID]) -> list[str]:
    """Places of those that are open, in their order."""
    chance = random.Random(7)  # noqa: S311 — the same desk each time
    now = clock.now()
    rows = []
    for n in range(TICKETS + SOLVED):
        is_open, since = n < TICKETS, now - timedelta(seconds=chance.randrange(86_400))
        ticket = Ticket(
            id=new_id(),
            number=f"T-26-{n + 1:06}",
            department_id=departments[n % len(departments)],
            priority=HIGH if chance.random() < 0.05 else NORMAL,
            state="open" if is_open else "solved",
            open=is_open,
            operators_turn=is_open and chance.random() < 0.4,
            contact_channel="chat",
            subject=f"Server {n} does not answer",
            operator_id=chance.choice(operators) if chance.random() < 0.8 else None,
            requester_name="Ann",
            environment={},
            waiting_since=since,
            due_at=since + timedelta(minutes=10),
            created_at=since,
            changed_at=since,
        )
        ticket.place = place_of(ticket)
        rows.append(ticket.model_dump())
    for start in range(0, len(rows), CHUNK):
        async with db.write() as session:
            await session.execute(insert(table_of(Ticket)), rows[start : start + CHUNK])
    await analyse(db)
    return sorted(row["place"] for row in rows if row["open"])


async def _obvious(db: Database) -> None:
    rows = table_of(Ticket).c
    order = (rows.operators_turn.desc(), rows.priority, rows.due_at, rows.waiting_since, rows.id)
    async with db.read() as session:
        await session.execute(select(func.count()).where(col(Ticket.open).is_(True)))
        found = select(rows.id, rows.number).where(rows.open.is_(True)).order_by(*order)
        (await session.execute(found.offset(TICKETS // 2).limit(50))).all()


async def _times(work: Callable[[], Awaitable[Any]], count: int) -> dict[str, float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    return {"p50_ms": round(taken[count // 2], 1), "p99_ms": round(taken[min(count - 1, int(count * 0.99))], 1)}
