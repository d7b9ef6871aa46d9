"""Mallory works in another department: what is not hers is 404 everywhere, as what does not exist."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from chat.db import Database
from chat.public import Operator
from escalation.change import Actor
from escalation.models import Ticket
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.tickets import company

PLANTED = "zimzelen-4711"
NONCE = re.compile(r'nonce="[^"]*"')


@pytest.fixture
async def office(db: Database, clock: FakeClock) -> AsyncIterator[Office]:
    async with company(db, clock) as acme:
        sign_in = SignedIn(acme.omar)
        yield Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


@pytest.fixture
async def mallory(office: Office) -> Operator:
    return await office.acme.operator("Mallory", "financial")


@pytest.fixture
async def ticket(office: Office) -> Ticket:
    ticket = await office.acme.ticket(f"The server {PLANTED} does not answer")
    await office.acme.tickets.note(ticket.id, office.acme.as_omar, f"note {PLANTED}", ref="note-0001")
    return ticket


PATHS = [
    ("GET", "/desk/tickets/{number}", {}),
    ("GET", "/desk/tickets/{number}/thread", {}),
    ("POST", "/desk/tickets/{number}/messages", {"kind": "note", "text": "I was here"}),
    ("POST", "/desk/tickets/{number}/messages", {"kind": "reply", "text": "I was here", "version": "3"}),
    ("POST", "/desk/tickets/{number}/properties", {"field": "priority", "priority": "high", "version": "3"}),
    ("POST", "/desk/tickets/{number}/properties", {"field": "operator", "operator": "me", "version": "3"}),
]


@pytest.mark.parametrize(("method", "path", "form"), PATHS)
async def test_a_ticket_of_others_is_as_one_that_does_not_exist(
    office: Office, mallory: Operator, ticket: Ticket, method: str, path: str, form: dict[str, str]
) -> None:
    office.sign_in.operator_now = mallory
    before = await office.fresh(ticket)
    answers = [
        await (
            office.post(path.format(number=number), **form)
            if method == "POST"
            else office.http.get(path.format(number=number))
        )
        for number in (ticket.number, "T-26-999999", "%00")
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert NONCE.sub("", answers[0].text) == NONCE.sub("", answers[1].text)
    assert (await office.fresh(ticket)).version == before.version


async def test_a_conversation_of_others_has_no_dialog(office: Office, mallory: Operator) -> None:
    conversation = await office.acme.conversation(f"Secret {PLANTED}")
    office.sign_in.operator_now = mallory
    path = f"/desk/conversations/{conversation}/ticket"
    unknown = await office.http.get(f"/desk/conversations/{uuid4()}/ticket")
    for answer in (await office.http.get(path), await office.post(path, subject="Mine now", department="financial")):
        assert answer.status_code == 404
        assert answer.text == unknown.text


async def test_the_list_the_alarms_and_the_next_are_of_her_departments(
    office: Office, mallory: Operator, ticket: Ticket
) -> None:
    acme = office.acme
    await acme.another_visitor()
    await acme.conversation(f"Waiting {PLANTED}")
    acme.clock.advance(700)
    await acme.worker.engine.round()
    office.sign_in.operator_now = mallory
    for path in ("/desk/tickets", "/desk/tickets?lane=mine", "/desk/tickets?department=technical", "/desk/alarms"):
        assert PLANTED not in (await office.http.get(path)).text
    taken = await office.post("/desk/next", ref="next-0001")
    assert taken.headers["location"] == "/desk/tickets?said=nothing"
    office.sign_in.operator_now = acme.omar
    assert PLANTED in (await office.http.get("/desk/tickets")).text


async def test_a_ticket_handed_over_leaves_who_hands_it_and_reaches_who_gets_it(
    office: Office, mallory: Operator, ticket: Ticket
) -> None:
    version = str((await office.fresh(ticket)).version)
    answer = await office.post(
        f"/desk/tickets/{ticket.number}/transfer", department="financial", note="An invoice", version=version,
        ref="transfer-1",
    )  # fmt: skip
    assert answer.headers["location"] == f"/desk/tickets?handed={ticket.number}"
    assert ticket.number in (await office.http.get(answer.headers["location"])).text
    assert (await office.http.get(f"/desk/tickets/{ticket.number}")).status_code == 404
    assert (await office.fresh(ticket)).operator_id is None
    office.sign_in.operator_now = mallory
    assert PLANTED in (await office.http.get(f"/desk/tickets/{ticket.number}")).text


async def test_who_is_assigned_sees_it_and_a_supervisor_sees_all(
    office: Office, mallory: Operator, ticket: Ticket
) -> None:
    acme = office.acme
    boss = await acme.operator("Bogdan", role="supervisor")
    office.sign_in.operator_now = boss
    assert PLANTED in (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    assert PLANTED in (await office.http.get("/desk/tickets")).text
    fresh = await office.fresh(ticket)
    await acme.tickets.assign(ticket.id, Actor("operator", "Omar", acme.omar.id), mallory.id, version=fresh.version)
    office.sign_in.operator_now = mallory
    assert PLANTED in (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    assert PLANTED in (await office.http.get("/desk/tickets")).text
