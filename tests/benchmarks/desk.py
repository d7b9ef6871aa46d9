"""Opening the operators' list over 50,000 open tickets and conversations, as the server answers it: queries and page.

Behind it 50,000 running clocks, many long overdue, and 200,000 that were met. First page, a page in the middle, one's
own, and one department; then `w`, and the banner of alarms alone. `quiet` is somebody whose department has nothing,
`supervisor` is told of everything. Then what the contact page reads. Peer: the same rows the obvious way, sorted and
skipped by number, with the count of all.
"""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import func, select
from sqlmodel import col

from chat.clock import SystemClock
from chat.db import Database, table_of
from chat.ids import new_id
from chat.migrations import schema
from chat.people.models import Operator
from escalation.models import SlaClock, SlaEvent, Ticket
from escalation.queue import place_of
from escalation.sla.measured import TICKET_CHANNELS, measure_tickets
from escalation.states import HIGH, NORMAL
from tests.support.both_databases import on_both
from tests.support.clock import FakeClock
from tests.support.crowd import Crowd, analyse, fill, gather
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.tickets import Company, company

TICKETS, CONVERSATIONS, SOLVED, OPERATORS = 40_000, 10_000, 50_000, 50
MET = 4
"""Clocks of each that was solved."""
STEPS = ((300, "assigned"), (480, "offer"), (540, "supervisor"))
TIMES = 60


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {
        "open_tickets": TICKETS, "waiting": CONVERSATIONS, "solved": SOLVED, "running_clocks": TICKETS + CONVERSATIONS,
        "met_clocks": MET * SOLVED, "bar_ms": 100,
    }  # fmt: skip
    return figures | on_both(_measure)


async def _measure(url: str) -> dict[str, Any]:
    db = Database(url)
    await schema.migrate(db)
    clock = FakeClock(SystemClock().now())
    async with company(db, clock) as acme:
        crowd = await gather(db, clock.now(), waiting=CONVERSATIONS, operators=OPERATORS)
        places = await _fill(db, clock, crowd)
        sign_in = SignedIn(await _person(db, crowd.operators[0]))
        http = httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE)
        office = Office(acme, http, sign_in)
        slug = f"d{crowd.departments[0].hex}"

        async def page(path: str, fewest: int = 20) -> None:
            answer = await http.get(path)
            if answer.status_code != 200 or answer.text.count("<tr") < fewest:
                raise RuntimeError(f"{path}: {answer.status_code}, {answer.text.count('<tr')} rows")

        async def alarms() -> None:
            if (await http.get("/desk/alarms")).text.count("data-alarm") != 5:
                raise RuntimeError("not as many alarms as are shown")

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
            "alarms": await _times(alarms, TIMES),
            "take_next": await _times(take, TIMES),
            "contact_figures": await _times(lambda: _contact(acme), 10),
        }
        sign_in.operator_now = await _person(db, crowd.operators[1], role="supervisor")
        found["supervisor"] = await _times(lambda: page("/desk/tickets"), TIMES)
        sign_in.operator_now = acme.omar
        found["quiet"] = await _times(lambda: page("/desk/tickets", 0), TIMES)
        obvious = await _times(lambda: _obvious(db), 10)
        await http.aclose()
    await db.close()
    return {**found, "peers": {"sorted, skipped and counted, without the page": obvious}}


async def _contact(acme: Company) -> None:
    """What the contact page reads once a minute."""
    async with acme.db.read() as session:
        measured = await measure_tickets(session, TICKET_CHANNELS, acme.clock.now())
    if not measured.enough:
        raise RuntimeError("too few were measured")


async def _person(db: Database, operator_id: UUID, role: str = "operator") -> Operator:
    async with db.write() as session:
        operator = await session.get_one(Operator, operator_id)
        operator.role = role
    return operator


async def _fill(db: Database, clock: FakeClock, crowd: Crowd) -> list[str]:
    """Places of those that are open, in their order."""
    chance = random.Random(7)  # noqa: S311 — the same desk each time
    now = clock.now()
    rows = []
    for n in range(TICKETS + SOLVED):
        is_open, since = n < TICKETS, now - timedelta(seconds=chance.randrange(86_400))
        ours = is_open and chance.random() < 0.4
        ticket = Ticket(
            id=new_id(),
            number=f"T-26-{n + 1:06}",
            department_id=crowd.departments[n % len(crowd.departments)],
            priority=HIGH if chance.random() < 0.05 else NORMAL,
            state="open" if is_open else "solved",
            open=is_open,
            operators_turn=ours,
            contact_channel="chat",
            subject=f"Server {n} does not answer",
            operator_id=chance.choice(crowd.operators) if chance.random() < 0.8 else None,
            requester_name="Ann",
            environment={},
            waiting_since=since if ours else None,
            due_at=since + timedelta(minutes=10) if ours else None,
            created_at=since,
            changed_at=since,
        )
        ticket.place = place_of(ticket)
        rows.append(ticket.model_dump())
    await fill(db, Ticket, rows)
    await _fill_clocks(db, now, rows, crowd, chance)
    await analyse(db)
    return sorted(row["place"] for row in rows if row["open"])


async def _fill_clocks(
    db: Database, now: datetime, tickets: list[dict[str, Any]], crowd: Crowd, chance: random.Random
) -> None:
    """Whoever waits has a promise; the others run until they are solved. Of the met ones every tenth had its alarms."""
    clocks: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []

    def add(kind: str, subject: UUID, since: datetime, *, instance: int = 1, met: bool, late: bool) -> None:
        due = since + timedelta(minutes=10)
        offered, absent = chance.choice(crowd.operators), chance.random() < 0.02
        clock = _clock(kind, subject, "first_reply" if instance == 1 else "next_reply", instance, since) | {
            "due_at": due, "breach_at": due, "state": "met" if met else "running",
            "met_at": since + timedelta(minutes=12 if late else 3) if met else None,
            "breached_at": due if late else None, "elapsed_seconds": (720 if late else 180) if met else None,
            "reason": "x" if met and late else "",
        }  # fmt: skip
        if late and not met:
            clock |= {"alarmed_at": due, "offered_to": offered, "absent_at": due if absent else None}
        clocks.append(clock)
        for after, step in STEPS if late else ():
            data: dict[str, Any] = {"step": step, "after": after, "metric": clock["metric"]}
            data |= {"absent": "Ana"} if step == "assigned" and absent else {}
            data |= {"operator": str(offered)} if step == "offer" else {}
            events.append(_event(clock["id"], "alarm", after, data, since + timedelta(seconds=after)))
        if late:
            events.append(_event(clock["id"], "breached", instance, {"metric": clock["metric"]}, due))

    for ticket in tickets:
        since = ticket["created_at"]
        if not ticket["open"]:
            for n in range(MET):
                began = since - timedelta(days=chance.randrange(120))
                add("ticket", ticket["id"], began, instance=n + 1, met=True, late=chance.random() < 0.1)
        elif ticket["operators_turn"]:
            add("ticket", ticket["id"], since, met=False, late=since + timedelta(minutes=10) < now)
        else:
            clocks.append(_clock("ticket", ticket["id"], "solve", 1, since))
    for n, conversation in enumerate(crowd.waiting):
        since = now - timedelta(seconds=CONVERSATIONS - n)
        add("conversation", conversation, since, met=False, late=since + timedelta(minutes=10) < now)
    await fill(db, SlaClock, clocks)
    await fill(db, SlaEvent, events)


def _clock(kind: str, subject: UUID, metric: str, instance: int, since: datetime) -> dict[str, Any]:
    clock = SlaClock(
        id=new_id(), subject_kind=kind, subject_id=subject, metric=metric, instance=instance, target_seconds=600,
        started_at=since, state="running",
    )  # fmt: skip
    return clock.model_dump()


def _event(clock_id: UUID, kind: str, n: int, data: dict[str, Any], at: datetime) -> dict[str, Any]:
    return {"id": new_id(), "clock_id": clock_id, "type": kind, "n": n, "data": data, "at": at}


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
