"""A word among operators is planted in all they write, and looked for at each door of visitors and customers."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlmodel import select
from starlette.routing import Route

from chat.files.models import File
from escalation.change import Actor
from escalation.client_area.tokens import signed
from escalation.mail.models import MailOut
from escalation.mail.writer import Sender
from escalation.models import Ticket, TicketMessage
from tests.support import files
from tests.support.clock import FakeClock
from tests.support.customers import Rita, add_customer, browser_of, claims_of, secret_of, signed_in
from tests.support.file_post import Post, of_visitor
from tests.support.program import Client, Running, program

PLANTED = "zimzelen-4711"
INSIDE = ("/console", "/desk", "/assets/", "/healthz", "/readyz", "/metrics")
"""Doors of operators and of machines."""


@dataclass
class Scene:
    running: Running
    rita: Rita
    ann: Client
    """Whom the company's site names as Rita."""
    desk: httpx2.AsyncClient
    number: str
    link: str
    """Path of the requester's page."""


@pytest.fixture
async def scene(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Scene]:
    async with program(tmp_path, clock=clock, works=False) as running:
        rita = await add_customer(running)
        ann = await running.visitor_who_said("The shop is down")
        token = signed(await secret_of(running), await claims_of(running, rita, use="panel"))
        asked = {"site": running.site_key, "token": token, "visitor": ann.token, "locale": "en"}
        assert (await browser_of(running).post("/client/widget", json=asked)).status_code == 200
        yield await _spoken(running, rita, ann)


async def _spoken(running: Running, rita: Rita, ann: Client) -> Scene:
    """A note in the conversation, a ticket of it, and on the ticket all that operators write for themselves; then a
    reply."""
    ana = await running.operator("Omar", role="supervisor")
    omar, talk, tickets = await running.console(ana), ann.conversation, running.desk.escalation.tickets
    desk, actor = omar.browser, Actor("operator", ana.name, ana.id)
    assert desk is not None
    await omar.send("open", conversation=talk)
    await omar.send("note", ref="note-0000001", conversation=talk, text=f"before {PLANTED}")
    await omar.until("noted", lambda frame: PLANTED in str(frame))
    sent = await of_visitor(running, ann, desk).send(files.LOG, "shop.log")
    await ann.send("say", ref="ref-00000001", text="See the log", conversation=talk, files=[sent["id"]])
    await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
    fields = {"subject": "Shop down", "department": "technical", "priority": "normal", "requester_email": rita.email}
    opened = await desk.post(f"/desk/conversations/{talk}/ticket", data=fields)
    number = opened.text.split("/desk/tickets/")[1].split('"')[0]
    card = await ann.until("said", lambda frame: bool((frame["entries"][-1].get("card") or {}).get("number")))
    link = urlsplit(card["entries"][-1]["card"]["links"][0]["url"]).path
    # Neither a file of a note goes out nor one that an operator has sent and not said.
    note = {"kind": "note", "text": f"after {PLANTED}", "ref": "note-0000002"}
    with_file = [("files", (f"{PLANTED}.log", PLANTED.encode()))]
    for _ in range(2):
        assert (await desk.post(f"/desk/tickets/{number}/messages", data=note, files=with_file)).status_code == 303
    await Post(desk, "/console/uploads").send(PLANTED.encode(), f"{PLANTED}.txt")
    ticket = await _ticket(running, number)
    assert ticket.customer_id == rita.customer_id
    tagged = await tickets.set_tags(ticket.id, actor, [PLANTED], version=ticket.version)
    reply = {"kind": "reply", "text": "We look into it", "ref": "note-0000003", "then": "waiting_customer"}
    reply |= {"version": str(tagged.version)}
    [inside] = await _files_of(running, ticket, "note")
    leaked = await desk.post(f"/desk/tickets/{number}/messages", data=reply | {"file": inside})
    assert (leaked.status_code, "not there any more" in leaked.text) == (422, True)
    await omar.send("say", ref="note-0000004", conversation=talk, text="", files=[inside])
    await omar.until("refused", lambda frame: frame.get("ref") == "note-0000004")
    got = await desk.get(f"/console/files/{inside}/save", follow_redirects=True)
    assert (got.content, PLANTED in got.headers["content-disposition"]) == (PLANTED.encode(), True)
    answer = await desk.post(
        f"/desk/tickets/{number}/messages", data=reply, files=[("files", ("steps.pdf", files.PDF))]
    )
    assert answer.status_code == 303
    while await running.desk.outbox.work_once():
        pass
    await ann.until("said", lambda frame: frame["entries"][0].get("text") == "We look into it")
    assert (await desk.get(f"/desk/tickets/{number}")).text.count(PLANTED) >= 4
    return Scene(running, rita, ann, desk, number, link)


async def _files_of(running: Running, ticket: Ticket, kind: str) -> list[str]:
    of_kind = select(TicketMessage).where(TicketMessage.ticket_id == ticket.id, TicketMessage.kind == kind)
    async with running.desk.db.read() as session:
        return [one["id"] for message in await session.exec(of_kind) for one in message.files]


async def _ticket(running: Running, number: str) -> Ticket:
    async with running.desk.db.read() as session:
        return (await session.exec(select(Ticket).where(Ticket.number == number))).one()


def doors(scene: Scene, sent: list[str]) -> dict[str, list[str]]:
    """Every GET route that is not ours alone, and the addresses at which it is tried."""
    number, talk, site = scene.number, scene.ann.conversation, scene.running.site_key
    page = "/t/{link}/{signature}"
    prove = scene.link.replace("/t/", "/t/prove/")
    return {
        "/": ["/"],
        "/contact": ["/contact", "/contact?lang=sl"],
        "/client": ["/client"],
        "/client/sign-in": ["/client/sign-in"],
        "/client/sign-in/{secret}": ["/client/sign-in/x"],
        "/client/enter": ["/client/enter?token=x"],
        "/client/tickets": [f"/client/tickets?{tail}" for tail in ("", f"q={PLANTED}", "q=after", "group=yours&q=be")],
        "/client/tickets/new": ["/client/tickets/new", f"/client/tickets/new?follows={number}"],
        "/client/tickets/{number}": [f"/client/tickets/{number}", f"/client/tickets/{number}?opened=1&missing=1"],
        "/client/tickets/{number}/news": [f"/client/tickets/{number}/news"],
        "/client/conversations": ["/client/conversations"],
        "/client/conversations/{id}": [f"/client/conversations/{talk}"],
        "/client/services": ["/client/services"],
        "/client/settings": ["/client/settings"],
        "/client/settings/security": ["/client/settings/security"],
        "/client/settings/delivery": ["/client/settings/delivery"],
        "/client/settings/delivery/confirm/{proof}/{signature}": ["/client/settings/delivery/confirm/x/y"],
        "/client/uploads/{upload}": [f"/client/uploads/{one}" for one in sent],
        "/client/files/{id}": [f"/client/files/{one}" for one in sent],
        "/client/files/{id}/{form}": [f"/client/files/{one}/{form}" for one in sent for form in ("save", "small")],
        page: [scene.link, f"{scene.link}?lang=sl&sent=1"],
        f"{page}/news": [f"{scene.link}/news"],
        f"{page}/on": [f"{scene.link}/on"],
        f"{page}/uploads/{{upload}}": [f"{scene.link}/uploads/{one}" for one in sent],
        f"{page}/files/{{id}}": [f"{scene.link}/files/{one}" for one in sent],
        f"{page}/files/{{id}}/{{form}}": [f"{scene.link}/files/{one}/save" for one in sent],
        "/t/prove/{link}/{signature}": [prove],
        "/files/{token}/{name}": ["/files/x/y"],
        "/doctor": ["/doctor"],
        "/w/{site_key}": [f"/w/{site}"],
        "/w/{site_key}/loader.js": [f"/w/{site}/loader.js"],
        "/w/{site_key}/files.json": [f"/w/{site}/files.json"],
        "/w/{site_key}/uploads/{upload}": [f"/w/{site}/uploads/{one}" for one in sent],
    }


async def _look_at_wires(scene: Scene, sent: list[str]) -> None:
    """Frames of the visitor, JSON for the panel, and mail."""
    running, ann = scene.running, scene.ann
    for stream in ("internal", "public"):
        await ann.send("fetch", conversation=ann.conversation, after=0, stream=stream)
    again = await running.visitor(token=ann.token)
    await again.until("paged", lambda frame: "We look into it" in str(frame))
    headers = {"Authorization": f"Bearer {ann.token}"}
    links = await scene.desk.post(f"/w/{running.site_key}/files", json={"ids": sent}, headers=headers)
    assert len(links.json()) == 2
    token = signed(await secret_of(running), await claims_of(running, scene.rita, use="panel"))
    asked = {"site": running.site_key, "token": token, "visitor": ann.token, "locale": "en"}
    panel = await browser_of(running).post("/client/widget", json=asked)
    assert scene.number in panel.text
    writer, sender = running.desk.escalation.writer, Sender("Acme", "support@acme.example")
    mails = []
    async with running.desk.db.read() as session:
        for row in await session.exec(select(MailOut)):
            words = await writer.words(session, row, running.desk.clock.now())
            assert words is not None
            row.message_id = await writer.message_id(session, row, sender)
            mails.append(writer.envelope(row, words, sender, []).content.decode())
    assert sum("We look into it" in mail for mail in mails) == 1
    for wire in (str(ann.frames), str(again.frames), links.text, panel.text, *mails):
        assert PLANTED not in wire


async def test_a_word_among_operators_is_at_no_door_of_visitors_and_customers(scene: Scene) -> None:
    running = scene.running
    async with running.desk.db.read() as session:
        sent = [str(row.id) for row in await session.exec(select(File))]
    assert len(sent) == 4  # that of the note among them
    tried = doors(scene, sent)
    there = {one.path for one in running.desk.routes() if isinstance(one, Route) and "GET" in (one.methods or ())}
    assert {path for path in there if not path.startswith(INSIDE)} == set(tried), "say how the new page is looked at"
    carl = await add_customer(
        running, "Carl", email="carl@acme.example", account=scene.rita.account_id, tickets=True, billing=True
    )
    mallory = await add_customer(running, "Mallory", email="mallory@evil.example", tickets=True, billing=True)
    seen = 0
    await _look_at_wires(scene, sent)
    for reader in (scene.rita, carl, mallory):
        browser = await signed_in(running, reader)
        for path in (one for paths in tried.values() for one in paths):
            answer = await browser.get(path, follow_redirects=True)
            # What is looked for stands in the field it was typed into.
            shown = re.sub(rf'value="{PLANTED}"|[?&;]q={PLANTED}', "", answer.text) + str(answer.headers)
            assert PLANTED not in shown, path
            seen += "We look into it" in shown
    assert seen >= 8, "the pages themselves were there"
