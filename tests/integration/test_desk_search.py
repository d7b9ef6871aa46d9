"""Search over tickets and conversations: found by any word, by nobody without reach, on both databases."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import select

from chat.conversations.entry import Author
from chat.db import Database
from chat.ids import new_id
from escalation.models import TicketMessage
from escalation.search.indexer import Indexer
from escalation.search.models import SearchWord
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.tickets import Company, company

PLANTED = "zimzelen-4711"


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


@pytest.fixture
def office(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


async def read(acme: Company) -> None:
    while await acme.worker.indexer.round():
        pass


async def asked(office: Office, text: str) -> str:
    page = await office.http.get("/desk/search", params={"q": text})
    assert page.status_code == 200
    return page.text


async def test_tickets_and_conversations_are_found_by_what_was_said(acme: Company, office: Office) -> None:
    ticket = await acme.ticket("Naš čebelji strežnik ne dela, 185.203.118.7")
    await acme.another_visitor()
    talk = await acme.conversation("Where is my invoice?", email="ann@example.com")
    await acme.conversations.note(talk, Author("operator", acme.omar.id, "Omar"), "Paid on Friday", uuid4().hex)
    await read(acme)
    for text in ("CEBELJI streznik", "strež", "185.203.118.7"):
        assert f"/desk/tickets/{ticket.number}" in await asked(office, text)
    for text in ("invoice", "invo", "paid friday"):
        found = await asked(office, text)
        assert f"/console/conversations/{talk}" in found
    assert "Note, operators only:" in await asked(office, "friday")
    for text in ("nowhere", "invoice nowhere", "", "  ", "%", "a", "_" * 500, "\x00", "<b>"):
        assert 'class="finding"' not in await asked(office, text)


async def test_a_number_leads_there_and_one_out_of_reach_does_not(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    answer = await office.http.get("/desk/search", params={"q": f"[{ticket.number.lower()}]"})
    assert answer.headers["location"] == f"/desk/tickets/{ticket.number}"
    office.sign_in.operator_now = await acme.operator("Mallory", "financial")
    answer = await office.http.get("/desk/search", params={"q": ticket.number})
    unknown = await office.http.get("/desk/search", params={"q": "T-26-999999"})
    assert (answer.status_code, unknown.status_code) == (200, 200)
    assert answer.text.count("finding") == unknown.text.count("finding")


async def test_mallory_finds_nothing_of_others(acme: Company, office: Office) -> None:
    ticket = await acme.ticket(f"The server {PLANTED} does not answer")
    await acme.tickets.note(ticket.id, acme.as_omar, f"note {PLANTED}", ref="note-0001")
    await acme.another_visitor()
    await acme.conversation(f"Another {PLANTED}")
    await read(acme)
    assert (await asked(office, PLANTED)).count('class="finding"') == 3
    office.sign_in.operator_now = await acme.operator("Mallory", "financial")
    found = await asked(office, PLANTED)
    assert 'class="finding"' not in found
    assert "does not answer" not in found


async def test_later_words_are_found_and_each_is_kept_once(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    await read(acme)
    other = Indexer(acme.db, acme.clock)
    assert not await other.round()
    await acme.tickets.note(ticket.id, acme.as_omar, "porcupine", ref="note-0001")
    await read(acme)
    assert ticket.number in await asked(office, "porcupine")
    # The first worker is gone: the other one reads on where it stood, and what is young once more.
    acme.clock.advance(31)
    await acme.tickets.note(ticket.id, acme.as_omar, "hedgehog", ref="note-0002")
    await other.round()
    assert ticket.number in await asked(office, "hedgehog")
    async with acme.db.read() as session:
        words = (await session.exec(select(SearchWord.word).where(SearchWord.kind == "ticket"))).all()
    assert len(words) == len(set(words))


async def test_the_word_a_slow_transaction_brings_late_is_found(acme: Company, office: Office) -> None:
    """Its id is older than what was read meanwhile."""
    ticket = await acme.ticket()
    await read(acme)
    early = new_id()
    await acme.tickets.note(ticket.id, acme.as_omar, "first", ref="note-0001")
    await read(acme)
    async with acme.db.write() as session:
        session.add(
            TicketMessage(
                id=early, ticket_id=ticket.id, seq=90, kind="note", author_kind="operator", contact_channel="desk",
                text="latecomer", at=acme.clock.now(),
            )
        )  # fmt: skip
    await read(acme)
    assert ticket.number in await asked(office, "latecomer")
