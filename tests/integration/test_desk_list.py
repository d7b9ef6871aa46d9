"""One list of conversations that wait and tickets, and its next: each once, in one order, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import select

from chat.conversations.models import Conversation
from chat.db import Database, table_of
from chat.ids import new_id
from chat.people.models import Operator
from escalation.desk.work_routes import WorkDesk
from escalation.models import Ticket, TicketAssignment
from escalation.once import Order
from escalation.reach import reader_of
from escalation.sla.policies import policies_in
from escalation.states import HIGH, NORMAL, State
from escalation.store import Wanted
from escalation.worklist import free_work, work_page
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.tickets import Company, company


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


class Killed(Exception):
    pass


async def killed(*_: object, **__: object) -> str:
    raise Killed


def office_of(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


async def names(acme: Company, wanted: Wanted | None = None, limit: int = 50) -> list[str]:
    """Of all pages: the numbers of tickets, "talk" for conversations."""
    policies, seen, after = await policies_in(acme.db), [], ""
    while True:
        async with acme.db.read() as session:
            reader = await reader_of(session, acme.omar)
            page = await work_page(session, reader, policies, wanted or Wanted(), after=after, limit=limit)
        seen += [
            row.ticket.ticket.number if row.ticket else f"talk {row.conversation and row.conversation.id}"
            for row in page.rows
        ]
        if not (after := page.next):
            return seen


async def test_who_waits_in_chat_stands_between_the_tickets_by_due(acme: Company) -> None:
    first = await acme.ticket("Ten minutes from now")
    await acme.another_visitor()
    acme.clock.advance(500)
    talk = await acme.conversation("A minute from now")
    await acme.another_visitor()
    second = await acme.ticket("Ten minutes from here")
    assert await names(acme) == [f"talk {talk}", first.number, second.number]
    acme.clock.advance(100)
    fresh = await acme.tickets.set_priority(second.id, acme.as_omar, HIGH, version=second.version)
    assert await names(acme) == [fresh.number, f"talk {talk}", first.number]
    await acme.tickets.reply(first.id, acme.as_omar, "Hello", version=first.version, ref="reply-0001")
    assert await names(acme) == [fresh.number, f"talk {talk}", first.number]


async def test_a_conversation_with_a_ticket_stands_there_as_the_ticket(acme: Company) -> None:
    ticket = await acme.ticket()
    assert await names(acme) == [ticket.number]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_pages_show_each_once_in_one_order(acme: Company, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 — a repeatable shuffle
    model = await acme.ticket()
    await acme.another_visitor()
    talk = await acme.conversation("One of many")
    now = acme.clock.now()

    def moment() -> timedelta:
        return timedelta(seconds=chance.choice([-60, 0, 0, 60]), microseconds=chance.randrange(3))

    async with acme.db.write() as session:
        department = (await session.exec(select(Ticket.department_id))).one()
        pattern = (await session.get_one(Conversation, talk)).model_dump()
        for n in range(40):
            session.add(
                Ticket(
                    id=new_id(), number=f"T-25-{n:06}", department_id=department, state="open", contact_channel="chat",
                    subject="Something", environment={}, created_at=now, changed_at=now,
                    priority=chance.choice([HIGH, NORMAL]), operators_turn=chance.random() < 0.7,
                    due_at=chance.choice([None, now + moment()]), waiting_since=chance.choice([None, now + moment()]),
                )
            )  # fmt: skip
            changed = {"id": new_id(), "start_ref": f"start-{n}", "priority": chance.choice([HIGH, NORMAL]),
                       "waiting_since": now + moment(), "state": chance.choice(["waiting", "offered"])}  # fmt: skip
            session.add(Conversation(**pattern | changed))
    whole = await names(acme, limit=200)
    assert len(whole) == len(set(whole)) == 82
    for limit in (1, 7, 50):
        assert await names(acme, limit=limit) == whole
    policies = await policies_in(acme.db)
    async with acme.db.read() as session:
        page = await work_page(session, await reader_of(session, acme.omar), policies, Wanted(), limit=200)
    assert [row.place for row in page.rows] == sorted(row.place for row in page.rows)
    assert [row.priority for row in page.rows if row.is_ours] == sorted(
        row.priority for row in page.rows if row.is_ours
    )
    assert model.number in whole


async def test_a_key_that_somebody_changed_begins_at_the_head(acme: Company) -> None:
    ticket = await acme.ticket()
    office = office_of(acme)
    for after in ("nonsense", "0" * 71, "00" + "9" * 69, "%00"):
        page = await office.http.get("/desk/tickets", params={"after": after})
        assert page.status_code == 200
    assert ticket.number in (await office.http.get("/desk/tickets", params={"after": "nonsense"})).text


# ── take next ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def left_free(acme: Company, *texts: str) -> list[Ticket]:
    """Tickets that nobody has."""
    found = []
    for text in texts:
        ticket = await acme.ticket(text)
        found.append(await acme.tickets.assign(ticket.id, acme.as_omar, None, version=ticket.version))
        await acme.another_visitor()
        acme.clock.advance(1)
    return found


async def holders(acme: Company) -> list[UUID]:
    async with acme.db.read() as session:
        held = select(TicketAssignment.ticket_id).where(TicketAssignment.ended_at == None)  # noqa: E711 — SQL
        return list(await session.exec(held))


async def test_the_next_is_the_first_that_nobody_has(acme: Company) -> None:
    first, second = await left_free(acme, "The first", "The second")
    talk = await acme.conversation("Quick one")
    await acme.tickets.set_priority(second.id, acme.as_omar, HIGH, version=second.version)
    office = office_of(acme)
    led = [(await office.post("/desk/next", ref=f"next-{n:04}")).headers["location"] for n in range(4)]
    assert led == [
        f"/desk/tickets/{second.number}", f"/console/conversations/{talk}", f"/desk/tickets/{first.number}",
        "/desk/tickets?said=nothing",
    ]  # fmt: skip
    assert (await office.fresh(first)).operator_id == acme.omar.id


async def test_a_double_click_takes_one(acme: Company) -> None:
    await left_free(acme, "The first", "The second", "The third")
    office = office_of(acme)
    led = [await office.post("/desk/next", ref="the-same-click") for _ in range(3)]
    assert len({answer.headers["location"] for answer in led}) == 1
    assert len(await holders(acme)) == 1
    at_once = await asyncio.gather(*(office.post("/desk/next", ref="another-click") for _ in range(8)))
    assert len({answer.headers["location"] for answer in at_once}) == 1
    assert len(await holders(acme)) == 2


async def test_one_who_took_the_next_and_was_killed_finds_it_again(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = await left_free(acme, "The first", "The second")
    talk = await acme.conversation("Quick one")
    office = office_of(acme)
    for ref, where, led in (
        ("next-0001", "end", f"/console/conversations/{talk}"),
        ("next-0002", "_take_first", f"/desk/tickets/{tickets[0].number}"),
        ("next-0003", "end", f"/desk/tickets/{tickets[1].number}"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(WorkDesk if where == "_take_first" else Order, where, killed)
            with pytest.raises(Killed):
                await office.post("/desk/next", ref=ref)
        assert {(await office.post("/desk/next", ref=ref)).headers["location"] for _ in range(2)} == {led}
    assert len(await holders(acme)) == 2


async def test_many_operators_at_once_take_different_ones(acme: Company) -> None:
    tickets = await left_free(acme, *(f"Trouble {n}" for n in range(6)))
    people = [await acme.operator(f"P{n}", "technical") for n in range(6)]
    offices = [office_of(acme) for _ in people]
    for office, person in zip(offices, people, strict=True):
        office.sign_in.operator_now = person
    led = await asyncio.gather(*(office.post("/desk/next", ref=uuid4().hex) for office in offices))
    assert sorted(answer.headers["location"] for answer in led) == [f"/desk/tickets/{one.number}" for one in tickets]
    assert len(await holders(acme)) == 6


async def test_nothing_that_waits_for_the_other_side_is_taken(acme: Company) -> None:
    (ticket,) = await left_free(acme, "Answered")
    fresh = await acme.tickets.reply(ticket.id, acme.as_omar, "Done", version=ticket.version, ref="reply-0001")
    await acme.tickets.assign(ticket.id, acme.as_omar, None, version=fresh.version)
    async with acme.db.read() as session:
        assert await free_work(session, await reader_of(session, acme.omar), await policies_in(acme.db)) == []


async def test_what_an_older_version_opened_is_put_in_its_place(acme: Company) -> None:
    (first,) = await left_free(acme, "The first")
    opened = await left_free(acme, "By an older version", "Closed by it")
    await acme.tickets.change_state(opened[1].id, acme.as_omar, State.CLOSED, version=opened[1].version)
    async with acme.db.write() as session:
        rows = table_of(Ticket)
        await session.execute(update(rows).where(rows.c.id.in_([one.id for one in opened])).values(place=""))

    async def listed() -> list[str]:
        return [name for name in await names(acme, limit=1) if name.startswith("T-")]

    assert await listed() == [first.number]
    await acme.worker.sweep()
    assert await listed() == [first.number, opened[0].number]
    assert await names(acme, Wanted(lane="closed"), limit=1) == [opened[1].number]


async def test_what_is_offered_to_omar_is_his_next(acme: Company) -> None:
    async with acme.db.write() as session:
        (await session.get_one(Operator, acme.omar.id)).present = True
    first = await acme.conversation("Question 0")
    assert await acme.pairing.offer_next()
    await acme.another_visitor()
    acme.clock.advance(1)
    second = await acme.conversation("Question 1")
    office = office_of(acme)
    led = [(await office.post("/desk/next", ref=f"next-{n:04}")).headers["location"] for n in range(2)]
    assert led == [f"/console/conversations/{first}", f"/console/conversations/{second}"]
