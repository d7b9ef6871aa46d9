"""What readers of a merged ticket find: the way on, its files, and nothing that was not theirs to read."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import select

from chat.conversations.entry import Author
from chat.db import Database
from escalation.change import Actor
from escalation.customers.models import Account
from escalation.errors import DifferentPeople, FewerReaders, MoreReaders
from escalation.models import Ticket
from escalation.relations import merge
from escalation.ticket_links import link_for, participants_in
from escalation.transfers import transfer
from tests.support import files
from tests.support.clock import FakeClock
from tests.support.customers import Rita, add_customer, signed_in
from tests.support.file_post import of_visitor
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.program import Running, program
from tests.support.taking_part import add, remove, version_of
from tests.support.tickets import Company, company

OMAR = Actor("operator", "Omar")


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


@pytest.fixture
def office(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


@pytest.fixture
async def running(tmp_path: Path, database_url: str) -> AsyncIterator[Running]:
    async with program(tmp_path, database_url) as desk:
        yield desk


async def two_tickets(acme: Company) -> tuple[Ticket, Ticket]:
    """Of one visitor, the later one first."""
    talk = await acme.conversation("The server does not answer")
    target = (await acme.escalate(talk)).ticket
    await acme.pairing.take(talk, acme.omar)
    await acme.pairing.end(talk, Author("operator", acme.omar.id, acme.omar.name))
    acme.clock.advance(60)
    return await acme.ticket("It still does not answer"), target


async def opened(running: Running, rita: Rita, department: str = "technical") -> Ticket:
    browser = await signed_in(running, rita)
    form = {"text": f"About {department} things", "ref": uuid4().hex, "department": department}
    answer = await browser.post("/client/tickets/new", data=form)
    return await by_number(running, re.findall(r"T-\d\d-\d{6}", answer.headers["location"])[0])


async def by_number(running: Running, number: str) -> Ticket:
    async with running.desk.db.read() as session:
        return (await session.exec(select(Ticket).where(Ticket.number == number))).one()


async def test_the_page_of_the_source_leads_its_reader_on_and_nobody_else(acme: Company, office: Office) -> None:
    source, target = await two_tickets(acme)
    await add(acme.tickets, source.id, acme.as_omar, "vito@supplier.example")
    old = await office.link(source)
    async with acme.db.write() as session:
        fresh = await session.get_one(Ticket, source.id)
        link_id = await link_for(session, fresh, "vito@supplier.example", acme.clock.now())
    vitos = acme.links.sign(f"/t/{link_id}").removeprefix(BASE)
    assert (await office.http.get(f"{old}/on")).status_code == 404
    version = (await office.fresh(source)).version
    acts = f"/desk/tickets/{source.number}/acts"
    refused = await office.post(acts, act="merge", other=target.number, version=str(version))
    assert (refused.status_code, "could not read the other ticket: vito@supplier.example." in refused.text) == (
        422,
        True,
    )
    assert (await office.fresh(source)).version == version
    await add(acme.tickets, target.id, acme.as_omar, "vito@supplier.example")
    assert (await office.post(acts, act="merge", other=target.number, version=str(version))).status_code == 303
    page = (await office.http.get(old)).text
    assert "This ticket goes on in another one" in page
    assert f'href="{old}/on"' in page
    # What was being written when the ticket was closed is not lost.
    late = await office.post(old, text="Wait, it is", ref=uuid4().hex, action="send")
    assert (late.status_code, "It takes no more messages." in late.text) == (422, True)
    assert re.search(r"<textarea[^>]* readonly>Wait, it is</textarea>", late.text)
    onward = await office.http.get(f"{old}/on")
    assert onward.status_code == 303
    led = await office.http.get(onward.headers["location"])
    assert (target.number in led.text, "The server does not answer" in led.text) == (True, True)
    # Who took part in both goes on as well, until an operator ends it.
    onward_of_vito = await office.http.get(f"{vitos}/on")
    assert target.number in (await office.http.get(onward_of_vito.headers["location"])).text
    async with acme.db.read() as session:
        vito = (await participants_in(session, target.id))[0]
    await remove(acme.tickets, target.id, acme.as_omar, vito.id)
    seen = await office.http.get(vitos)
    assert (seen.status_code, target.number in seen.text) == (200, False)
    for path in (f"{vitos}/on", f"{old[:-1]}x/on", f"{onward.headers['location'].removeprefix(BASE)}/on"):
        assert (await office.http.get(path)).status_code == 404
    # All ways to the target end, those over the source, too.
    await acme.tickets.revoke_links(target.id, acme.as_omar, version=await version_of(acme.tickets, target.id))
    for path in (old, f"{old}/on", onward.headers["location"]):
        assert (await office.http.get(path)).status_code == 404


async def test_nothing_is_merged_to_where_others_read_it(running: Running) -> None:
    rita = await add_customer(running, tickets=True, billing=True)
    await add_customer(running, "Bea", email="bea@acme.example", account=rita.account_id, tickets=True)
    tickets, db = running.desk.escalation.tickets, running.desk.db
    invoice, fault = await opened(running, rita, "financial"), await opened(running, rita)
    for source, target in ((invoice, fault), (fault, invoice)):
        with pytest.raises(MoreReaders):
            await merge(tickets, source.id, target.id, OMAR, version=source.version)
    # It was said before Rita was known; the account would read it.
    before = await opened(running, rita)
    async with db.write() as session:
        unknown = await session.get_one(Ticket, before.id)
        unknown.account_id = unknown.customer_id = None
    with pytest.raises(MoreReaders):
        await merge(tickets, unknown.id, fault.id, OMAR, version=unknown.version)
    with pytest.raises(FewerReaders) as refused:
        await merge(tickets, fault.id, unknown.id, OMAR, version=fault.version)
    async with db.read() as session:
        assert refused.value.names == [(await session.get_one(Account, rita.account_id)).name]
    await add(tickets, fault.id, OMAR, "vito@supplier.example")
    other = await opened(running, rita)
    with pytest.raises(MoreReaders):
        await merge(tickets, other.id, fault.id, OMAR, version=other.version)
    await add(tickets, other.id, OMAR, "vito@supplier.example")
    other = await by_number(running, other.number)
    await merge(tickets, other.id, fault.id, OMAR, version=other.version)
    invoice = await transfer(tickets, invoice.id, OMAR, "technical", "Fault", version=invoice.version, ref="move-0001")
    with pytest.raises(MoreReaders):
        await merge(tickets, invoice.id, fault.id, OMAR, version=invoice.version)
    mallory = await opened(running, await add_customer(running, "Mallory", email="mallory@evil.example"))
    with pytest.raises(DifferentPeople):
        await merge(tickets, mallory.id, fault.id, OMAR, version=mallory.version)


async def test_a_customer_is_led_on_where_they_may_read_it(running: Running) -> None:
    rita = await add_customer(running)
    dora = await add_customer(running, "Dora", email="dora@acme.example", account=rita.account_id)
    mallory = await add_customer(running, "Mallory", email="mallory@evil.example", tickets=True, billing=True)
    source, target = await opened(running, rita), await opened(running, rita)
    tickets = running.desk.escalation.tickets
    for one in (source, target):
        await add(tickets, one.id, OMAR, dora.email)
    source = await by_number(running, source.number)
    await merge(tickets, source.id, target.id, OMAR, version=source.version)
    page, onward = f"/client/tickets/{source.number}", f'href="/client/tickets/{target.number}"'
    shown = await (await signed_in(running, rita)).get(page)
    assert (shown.status_code, onward in shown.text, "follows it" in shown.text) == (200, True, False)
    doras = await signed_in(running, dora)
    assert onward in (await doras.get(page)).text
    async with running.desk.db.read() as session:
        takes_part = (await participants_in(session, target.id))[0]
    await remove(tickets, target.id, OMAR, takes_part.id)
    shown = await doras.get(page)
    assert (shown.status_code, target.number in shown.text) == (200, False)
    assert (await doras.get(f"/client/tickets/{target.number}")).status_code == 404
    assert (await (await signed_in(running, mallory)).get(page)).status_code == 404


async def test_files_of_a_merged_conversation_open_from_the_target(running: Running) -> None:
    nina = await running.operator("Nina", role="supervisor")
    pages, numbers, file_id = [], [], ""
    async with httpx2.AsyncClient() as http, aclosing(await running.signed_in(nina)) as desk:
        for name in ("ann", "ann", "mallory"):
            client = await running.visitor()
            await client.send("enroll")
            client.token = (await client.until("enrolled"))["token"]
            leave: dict[str, Any] = {"ref": "ref-00000001", "email": f"{name}@acme.example", "text": "It is down"}
            if not file_id:
                file_id = (await of_visitor(running, client, http).send(files.image(), "before.png"))["id"]
                leave |= {"files": [file_id]}
            await client.send("leave", **leave)
            said = await client.until(
                "said", lambda frame: bool((frame["entries"][-1].get("card") or {}).get("number"))
            )
            card = said["entries"][-1]["card"]
            pages.append(card["links"][0]["url"])
            numbers.append(card["number"])
        async with running.desk.db.write() as session:
            for ticket in await session.exec(select(Ticket)):
                ticket.verify_level = 1
        before = [(await http.get(f"{page}/files/{file_id}")).status_code for page in pages]
        assert before[1:] == [404, 404]
        source, target = [await by_number(running, number) for number in numbers[:2]]
        note = {"kind": "note", "text": "Seen before", "ref": "ref-00000002"}
        noted = await desk.post(
            f"/desk/tickets/{source.number}/messages", data=note, files={"files": ("inside.log", files.LOG)}
        )
        assert noted.status_code == 303
        source = await by_number(running, source.number)
        form = {"act": "merge", "other": target.number, "version": str(source.version)}
        assert (await desk.post(f"/desk/tickets/{source.number}/acts", data=form)).status_code == 303
        assert f"{file_id}/small" in (await http.get(pages[1])).text
        for page in pages[:2]:
            got = await http.get(f"{page}/files/{file_id}", follow_redirects=True)
            assert got.headers["content-type"] == "image/png"
        assert (await http.get(f"{pages[2]}/files/{file_id}")).status_code == 404
        shown = (await desk.get(f"/desk/tickets/{target.number}")).text
        assert f"{file_id}/small" in shown
        inside = shown.split('">inside.log')[0].split("/console/files/")[-1][:36]
        assert (await desk.get(f"/console/files/{inside}", follow_redirects=True)).content == files.LOG
        assert {(await http.get(f"{page}/files/{inside}")).status_code for page in pages} == {404}
        got = await desk.get(f"/console/files/{file_id}", follow_redirects=True)
        assert got.headers["content-type"] == "image/png"
