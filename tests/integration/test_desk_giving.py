"""Who is given tickets: nobody who is absent or full, in whatever way; and what a department reads first of one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import delete
from sqlmodel import col, select

from chat.db import Database, table_of
from chat.public import Operator
from escalation.actions import Tickets
from escalation.errors import OperatorFull
from escalation.models import Ticket, TicketAssignment
from escalation.shifts.models import Absence
from escalation.states import HIGH, NORMAL
from escalation.transfers import send_back, transfer
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.rosters import add_absence, add_shift
from tests.support.tickets import Company, company

PLANTED = "the zebra pays by giro"


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


@pytest.fixture
def office(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


async def goes_home(acme: Company, *people: Operator) -> None:
    """Away from now on."""
    now = acme.clock.now()
    for one in people:
        await add_absence(acme.db, one, now, now + timedelta(hours=8))
    await acme.shifts.renew_all()


async def comes_back(acme: Company) -> None:
    async with acme.db.write() as session:
        await session.execute(delete(table_of(Absence)))
    await acme.shifts.renew_all()


async def takes(acme: Company, operator: Operator, most: int) -> None:
    """At most so many tickets."""
    async with acme.db.write() as session:
        (await session.get_one(Operator, operator.id)).ticket_capacity = most


async def held(acme: Company, operator: Operator) -> int:
    """Tickets that they were ever given."""
    async with acme.db.read() as session:
        given = await session.exec(select(TicketAssignment).where(TicketAssignment.operator_id == operator.id))
        return len(given.all())


async def some(acme: Company, number: int) -> list[Ticket]:
    found = []
    for n in range(number):
        found.append(await acme.ticket(f"Trouble {n}"))
        await acme.another_visitor()
    return found


def chosen(*tickets: Ticket) -> list[str]:
    return [f"{one.number}:{one.version}" for one in tickets]


async def order(office: Office, act: str, tickets: list[Ticket], **more: str) -> httpx2.Response:
    form = {"act": act, "ticket": chosen(*tickets), "ref": uuid4().hex} | more
    return await office.http.post("/desk/bulk", data=form, headers={"Sec-Fetch-Site": "same-origin"})


async def test_who_is_absent_is_given_nothing_in_any_way(acme: Company, office: Office) -> None:
    first, second, third = await some(acme, 3)
    nina = str(acme.nina.id)
    given = await acme.tickets.assign(second.id, acme.as_omar, acme.nina.id, version=second.version)
    taken = await acme.tickets.assign(given.id, acme.as_omar, None, version=given.version)
    await goes_home(acme, acme.nina)
    before = await held(acme, acme.nina)

    page = f"/desk/tickets/{first.number}"
    answer = await office.post(f"{page}/properties", field="operator", operator=nina, version=str(first.version))
    assert answer.status_code == 422
    assert "Who is off duty gets no tickets." in answer.text
    answer = await order(office, f"operator:{nina}", [first, third])
    assert answer.status_code == 422
    assert "2 stayed as they were: who should get them is off duty." in answer.text
    assert answer.text.count(" checked") == 2, "nothing that was chosen is lost"
    # Offered where it can be chosen, it says so before.
    assert "Nina, off duty" in (await office.http.get(page)).text
    # Back from a transfer it is nobody's.
    moved = await transfer(
        acme.tickets, taken.id, acme.as_omar, "financial", "?", version=taken.version, ref="move-001"
    )
    back = await send_back(acme.tickets, moved.id, acme.as_omar, "technical", acme.nina.id, version=moved.version)
    assert back.operator_id is None
    # What is undone goes back to nobody who went home meanwhile.
    await comes_back(acme)
    acme.clock.advance(1)
    with_nina = await acme.tickets.assign(first.id, acme.as_nina, acme.nina.id, version=first.version)
    answer = await order(office, "operator:me", [with_nina])
    undo = answer.headers["location"].split("undo=")[1]
    await goes_home(acme, acme.nina)
    answer = await office.post("/desk/undo", ref=undo)
    assert answer.headers["location"] == "/desk/tickets?back=0&refused=0&absent=1"
    assert (
        "1 stayed as it was: who should get it is off duty." in (await office.http.get(answer.headers["location"])).text
    )
    # The hand-over of Omar finds nobody.
    await goes_home(acme, acme.omar)
    await acme.shifts.round()
    assert await held(acme, acme.nina) == before + 1, "the one that she took herself"
    assert (await office.fresh(first)).operator_id is None


async def test_who_is_full_gets_as_many_as_there_is_room_for(acme: Company, office: Office) -> None:
    tickets = await some(acme, 4)
    await takes(acme, acme.nina, 2)
    answer = await order(office, f"operator:{acme.nina.id}", tickets[:3])
    assert answer.status_code == 422
    assert "2 tickets changed. 1 stayed as it was: who should get it has as many tickets as they take." in answer.text
    assert f'value="{tickets[2].number}:{tickets[2].version}" checked' in answer.text
    assert (await office.fresh(tickets[2])).operator_id == tickets[2].operator_id
    with pytest.raises(OperatorFull):
        await acme.tickets.assign(tickets[3].id, acme.as_omar, acme.nina.id, version=tickets[3].version)
    answer = await office.post(
        f"/desk/tickets/{tickets[3].number}/properties", field="operator", operator=str(acme.nina.id),
        version=str(tickets[3].version),
    )  # fmt: skip
    assert "They have as many tickets as they take." in answer.text
    # What people take by themselves is theirs.
    taken = await acme.tickets.assign(tickets[3].id, acme.as_nina, acme.nina.id, version=tickets[3].version)
    assert taken.operator_id == acme.nina.id


async def test_of_a_transfer_taken_back_nobody_misses_anything(acme: Company, office: Office) -> None:
    ticket = (await some(acme, 1))[0]
    mine = await acme.tickets.assign(ticket.id, acme.as_nina, acme.nina.id, version=ticket.version)
    answer = await order(office, "department:financial", [mine])
    assert answer.status_code == 422
    assert "Write a note for the department" in answer.text
    assert f'value="{mine.number}:{mine.version}" checked' in answer.text
    answer = await order(office, "department:financial", [mine], note=PLANTED, lane="mine")
    assert answer.headers["location"].startswith("/desk/tickets?lane=mine&done=1")
    gone = await office.fresh(ticket)
    assert (gone.operator_id, gone.department_id) == (None, gone.department_id)
    await office.post("/desk/undo", ref=answer.headers["location"].split("undo=")[1])
    back = await office.fresh(ticket)
    assert (back.operator_id, back.department_id) == (acme.nina.id, ticket.department_id)


async def test_a_department_reads_first_what_it_has_to_know(acme: Company, office: Office) -> None:
    ticket = (await some(acme, 1))[0]
    place = f"/desk/tickets/{ticket.number}"
    assert "Transfer to another department" in (await office.http.get(f"{place}/transfer")).text
    form = {"department": "financial", "note": "", "version": str(ticket.version), "ref": "transfer-0001"}
    empty = await office.post(f"{place}/transfer", **form)
    assert (empty.status_code, "Write a note" in empty.text) == (422, True)
    moved = await office.post(f"{place}/transfer", **form | {"department": "nowhere", "note": PLANTED})
    assert (moved.status_code, PLANTED in moved.text) == (422, True), "what was written is kept"
    old = await office.post(f"{place}/transfer", **form | {"note": PLANTED, "version": "0"})
    assert (old.status_code, PLANTED in old.text) == (409, True)
    clicks = [await office.post(f"{place}/transfer", **form | {"note": PLANTED}) for _ in range(2)]
    assert {one.headers["location"] for one in clicks} == {f"/desk/tickets?handed={ticket.number}"}
    assert (await office.post(f"{place}/transfer", **form | {"note": "x", "ref": "guessed-0001"})).status_code == 404
    assert (await office.http.get(f"{place}/transfer")).status_code == 404

    fina = await acme.operator("Fina", "financial")
    office.sign_in.operator_now = fina
    page = (await office.http.get(place)).text
    assert page.index("Handed over by Omar") < page.index('id="ticket-timeline"')
    assert page.count(PLANTED) == 2, "first, and where it was said"
    assert PLANTED not in (await office.http.get(await office.link(ticket))).text
    fresh = await office.fresh(ticket)
    await office.post(f"{place}/messages", kind="reply", text="We look", version=str(fresh.version), ref="reply-00001")
    assert "Handed over by Omar" not in (await office.http.get(place)).text


async def test_an_order_that_was_interrupted_is_carried_out_once_by_its_repeat(
    acme: Company, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = await some(acme, 3)
    form = {"act": "priority:high", "ticket": chosen(*tickets), "ref": "bulk-order-0001"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    real = Tickets.set_priority

    async def killed(self: Tickets, ticket_id: UUID, *rest: Any, **named: Any) -> Ticket:
        if ticket_id == tickets[1].id:
            raise ZeroDivisionError
        return await real(self, ticket_id, *rest, **named)

    async def priorities() -> list[int]:
        return [(await office.fresh(one)).priority for one in tickets]

    with monkeypatch.context() as patch:
        patch.setattr(Tickets, "set_priority", killed)
        with pytest.raises(ZeroDivisionError):
            await office.http.post("/desk/bulk", data=form, headers=headers)
    assert await priorities() == [HIGH, NORMAL, NORMAL]
    repeats = [await office.http.post("/desk/bulk", data=form, headers=headers) for _ in range(2)]
    assert {one.headers["location"] for one in repeats} == {"/desk/tickets?done=3&refused=0&undo=bulk-order-0001"}
    assert await priorities() == [HIGH, HIGH, HIGH]
    assert [(await office.fresh(one)).version - one.version for one in tickets] == [1, 1, 1]
    # Taking back is interrupted and gone on with alike: the last one is first.
    with monkeypatch.context() as patch:
        patch.setattr(Tickets, "set_priority", killed)
        with pytest.raises(ZeroDivisionError):
            await office.post("/desk/undo", ref="bulk-order-0001")
    assert await priorities() == [HIGH, HIGH, NORMAL]
    for back in (2, 0):
        undone = await office.post("/desk/undo", ref="bulk-order-0001")
        assert undone.headers["location"] == f"/desk/tickets?back={back}&refused=0"
    assert await priorities() == [NORMAL, NORMAL, NORMAL]
    assert [(await office.fresh(one)).version - one.version for one in tickets] == [2, 2, 2]


async def test_an_order_sent_twice_at_once_says_the_same_twice(acme: Company, office: Office) -> None:
    tickets = await some(acme, 4)
    form = {"act": "tag:", "tag": "outage", "ticket": chosen(*tickets), "ref": "bulk-order-0001"}
    answers = await asyncio.gather(
        *(office.http.post("/desk/bulk", data=form, headers={"Sec-Fetch-Site": "same-origin"}) for _ in range(4))
    )
    assert {one.headers["location"] for one in answers} == {"/desk/tickets?done=4&refused=0&undo=bulk-order-0001"}
    assert [(await office.fresh(one)).version - one.version for one in tickets] == [1] * 4


async def test_two_hand_to_one_person_at_once(acme: Company) -> None:
    tickets = await some(acme, 2)
    await takes(acme, acme.nina, 1)
    answers = await asyncio.gather(
        *(acme.tickets.assign(one.id, acme.as_omar, acme.nina.id, version=one.version) for one in tickets),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in answers) == ["OperatorFull", "Ticket"]
    async with acme.db.read() as session:
        open_ones = select(Ticket.id).where(Ticket.operator_id == acme.nina.id, col(Ticket.open).is_(True))
        assert len((await session.exec(open_ones)).all()) == 1


async def test_operators_read_who_is_on_duty_who_comes_next_and_when_they_work(acme: Company, office: Office) -> None:
    hour = acme.clock.now().hour
    assert "You stand in no shift" in (await office.http.get("/desk/shifts")).text
    await add_shift(acme.db, acme.clock, "Now", hour, hour + 1, acme.omar)
    await add_shift(acme.db, acme.clock, "Then", hour + 1, hour + 2, acme.nina)
    await add_absence(acme.db, acme.nina, acme.clock.now(), acme.clock.now() + timedelta(minutes=1))
    await acme.shifts.renew_all()
    page = (await office.http.get("/desk/shifts")).text
    now, coming, mine, _ = [page.index(f'id="board-{part}"') for part in ("now", "next", "mine", "day")]
    assert (page.count("Omar", now, coming), page.count("Nina", now, coming)) == (1, 0)
    assert page.count("Nina", coming, mine) == 1
    assert page.count('class="num">', mine) >= 14
    assert "Leave" not in page, "why others are away is nobody's business"
    office.sign_in.operator_now = None
    assert (await office.http.get("/desk/shifts")).status_code == 303
