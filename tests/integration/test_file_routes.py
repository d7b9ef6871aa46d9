"""Files over HTTP, by the running program: Ann sends, Omar reads, Mallory finds nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx2
import pytest
from sqlmodel import select

from chat.files.attachments import claim_files
from chat.people.models import OperatorDepartment
from escalation.change import SYSTEM
from escalation.handoff import draft_ticket
from escalation.models import Ticket
from escalation.opening import open_ticket
from tests.support import files
from tests.support.customers import add_customer, signed_in
from tests.support.faults import Conduct, FaultProxy
from tests.support.file_post import Post, of_visitor
from tests.support.program import Client, Running, program

MB = 1_048_576
BIG = b"".join(f"{n:015}\n".encode() for n in range(25 * MB // 16))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


async def links(running: Running, client: Client, http: httpx2.AsyncClient, *ids: str) -> dict[str, dict[str, str]]:
    answer = await http.post(
        f"{running.base_url}/w/{running.site_key}/files",
        json={"ids": ids},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    return dict(answer.json())


async def test_a_picture_and_a_log_arrive_in_the_conversation_both_ways(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    ann = await running.visitor_who_said()
    assert omar.browser is not None
    async with httpx2.AsyncClient() as http:
        post = of_visitor(running, ann, http)
        picture = await post.send(files.photo_with_place(), "screen.jpg")
        log = await post.send(files.LOG, "Dnevnik š.log")
        await omar.until("offered")
        await omar.send("open", conversation=ann.conversation)
        await omar.until("paged", lambda frame: frame["stream"] == "internal")
        await ann.send(
            "say", ref="ref-00000001", text="", conversation=ann.conversation, files=[picture["id"], log["id"]]
        )
        said = await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
        assert [one["name"] for one in said["entries"][0]["files"]] == ["screen.jpg", "Dnevnik š.log"]
        assert said["entries"][0]["ref"] == "ref-00000001"
        heard = await omar.until("said", lambda frame: bool(frame["entries"][0].get("files")))
        html = heard["entries"][0]["html"]
        assert f'src="/console/files/{picture["id"]}/small"' in html
        assert "Dnevnik š.log" in html

        shown = await omar.browser.get(f"/console/files/{picture['id']}", follow_redirects=True)
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.headers["content-disposition"].startswith("inline")
        saved = await omar.browser.get(f"/console/files/{log['id']}", follow_redirects=True)
        assert saved.content == files.LOG
        assert saved.headers["content-type"] == "text/plain; charset=utf-8"
        assert saved.headers["content-disposition"] == (
            "attachment; filename=\"Dnevnik _.log\"; filename*=UTF-8''Dnevnik%20%C5%A1.log"
        )
        assert saved.headers["content-security-policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
        assert saved.headers["x-content-type-options"] == "nosniff"

        reply = Post(omar.browser, "/console/uploads")
        sent = await reply.send(files.PDF, "answer.pdf")
        await omar.send("say", ref="ref-00000002", text="Here", conversation=ann.conversation, files=[sent["id"]])
        got = await ann.until("said", lambda frame: frame["entries"][0].get("text") == "Here")
        assert got["entries"][0]["files"] == [
            {"id": sent["id"], "name": "answer.pdf", "type": "application/pdf", "size": len(files.PDF)}
        ]
        url = (await links(running, ann, http, sent["id"]))[sent["id"]]["url"]
        assert (await http.get(url)).content == files.PDF


async def test_a_conversation_begins_with_a_file_alone_and_a_resend_is_the_same(running: Running) -> None:
    ann = await running.visitor()
    await ann.send("enroll")
    ann.token = (await ann.until("enrolled"))["token"]
    async with httpx2.AsyncClient() as http:
        sent = await of_visitor(running, ann, http).send(files.LOG, "a.log")
        for _ in range(2):
            await ann.send("start", ref="ref-00000001", text="", files=[sent["id"]])
            begun = await ann.until("started")
    page = next(frame for frame in ann.frames if frame["type"] == "paged" and frame["entries"])
    assert page["entries"][0]["files"][0]["name"] == "a.log"
    assert begun["conversation"]["id"]
    await ann.send("start", ref="ref-00000002", text="", files=[str(uuid4())])
    assert (await ann.until("refused"))["code"] == "no-such-file"
    await ann.send("say", ref="ref-00000003", text=" ", conversation=begun["conversation"]["id"])
    assert (await ann.until("refused"))["code"] == "text-missing"


async def test_mallory_reads_no_file_of_ann_by_any_door(running: Running) -> None:
    ann = await running.visitor_who_said()
    mallory = await running.visitor_who_said("Hi")
    stranger = await running.operator("Mia")
    async with running.desk.db.write() as session:
        for row in (await session.exec(_departments_of(stranger.id))).all():
            await session.delete(row)
    mia = await running.signed_in(stranger)
    async with httpx2.AsyncClient() as http, aclosing(mia):
        sent = await of_visitor(running, ann, http).send(files.image(), "a.png")
        await ann.send("say", ref="ref-00000001", text="", conversation=ann.conversation, files=[sent["id"]])
        await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
        mine = (await links(running, ann, http, sent["id"]))[sent["id"]]
        assert (await http.get(mine["url"])).status_code == 200
        assert (await http.get(mine["small"])).headers["content-type"] == "image/webp"
        assert (await http.get(mine["save"])).headers["content-disposition"].startswith("attachment")
        assert await links(running, mallory, http, sent["id"], str(uuid4()), "nonsense") == {}
        await mallory.send("say", ref="ref-00000009", text="x", conversation=mallory.conversation, files=[sent["id"]])
        assert (await mallory.until("refused"))["code"] == "no-such-file"
        token, name = urlsplit(mine["url"]).path.split("/")[2:]
        forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], "AAAA", "%00", token + "A" * 400]
        for one in forged:
            assert (await http.get(f"{running.base_url}/files/{one}/{name}")).status_code == 404
        for address in (f"/console/files/{sent['id']}", f"/console/files/{uuid4()}", "/console/files/x"):
            assert (await mia.get(address)).status_code == 404
            assert (await http.get(running.base_url + address)).status_code == 404
        upload = f"{running.base_url}/w/{running.site_key}/uploads"
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {ann.token}"}):
            assert (await http.get(f"{upload}/{sent['id']}", headers=headers)).status_code == 404
        assert (await http.post(running.base_url + "/console/uploads", json={})).status_code in (401, 403)
        # A link that was made in time is worth nothing when access has ended.
        assert await running.desk.visitors.end_access(UUID(await _visitor_of(running, ann)))
        assert (await http.get(mine["url"])).status_code == 404


def _departments_of(operator_id: UUID) -> Any:
    return select(OperatorDepartment).where(OperatorDepartment.operator_id == operator_id)


async def _visitor_of(running: Running, client: Client) -> str:
    found = await running.desk.conversations.transcript_of(UUID(client.conversation))
    assert found is not None
    return str(found.messages[0].author_id)


async def test_refusals_are_said_in_words(running: Running) -> None:
    ann = await running.visitor_who_said()
    async with httpx2.AsyncClient() as http:
        post = of_visitor(running, ann, http)
        for name, size, status, code in (
            ("invoice.exe", 10, 415, "type-not-allowed"),
            ("a.log", 0, 422, "empty"),
            ("a.log", 30 * MB, 413, "too-large"),
        ):
            answer = await post.begin(name, size, uuid4().hex)
            assert (answer.status_code, answer.json()["code"], answer.json()["retry"]) == (status, code, False)
        assert "25 MB" in answer.json()["message"]
        bad = await post.send(files.bomb(), "bomb.png")
        assert bad["code"] == "image-too-large"
        for body in (b"", b"[]", b"{}", b'{"ref":"x","name":"a","size":1}', b"\xff", b"x" * 5000):
            answer = await http.post(post.address, content=body, headers=post.headers)
            assert answer.status_code in (400, 413)
        began = (await post.begin("a.log", 100, uuid4().hex)).json()
        assert (await post.put(began["id"], 0, b"x" * 200)).json()["code"] == "too-large"
        assert (await post.put(began["id"], 50, b"x")).json() == {
            "code": "out-of-step",
            "message": "The connection broke. The file goes on where it stopped.",
            "retry": True,
            "received": 0,
        }
        assert (await http.put(f"{post.address}/{began['id']}?offset=-1", headers=post.headers)).status_code == 400
        assert (await http.delete(f"{post.address}/{began['id']}", headers=post.headers)).status_code == 204


async def test_25_megabytes_over_a_link_that_is_cut_three_times_arrive_whole_and_once(running: Running) -> None:
    ann = await running.visitor_who_said()
    host, port = urlsplit(running.base_url).netloc.split(":")
    road = FaultProxy(host, int(port))
    await road.start()
    road.behave(Conduct(rate=60 * MB))
    cuts = [3 * MB, 11 * MB, 19 * MB]
    try:
        async with httpx2.AsyncClient(timeout=30) as http:
            post = of_visitor(running, ann, http, f"http://127.0.0.1:{road.port}")
            cutting = _cut_at(running, road, cuts)
            sent, _ = await asyncio.gather(post.send(BIG, "trace.log", "ref-00000001"), cutting)
            assert post.broken >= 3
            assert sent["state"] == "ready"
            assert sent["size"] == len(BIG)
            again = await post.send(BIG, "trace.log", "ref-00000001")
            assert again["id"] == sent["id"]
            url = (await links(running, ann, http, sent["id"]))[sent["id"]]["url"]
            assert (await http.get(url)).content == BIG
    finally:
        await road.stop()
    assert not parts_of(running)


def parts_of(running: Running) -> list[Path]:
    folder = running.settings.data_dir / ".nightdesk-uploads"
    return list(folder.iterdir()) if folder.is_dir() else []


async def _cut_at(running: Running, road: FaultProxy, cuts: list[int]) -> None:
    """Breaks all links when so many bytes lie on the disk."""
    for bytes_there in cuts:
        while sum(one.stat().st_size for one in parts_of(running)) < bytes_there:  # noqa: ASYNC110 — files have no event
            await asyncio.sleep(0.005)
        road.reset()


async def test_a_files_host_of_its_own_serves_files_and_the_desk_does_not(tmp_path: Path) -> None:
    async with program(tmp_path, files_url="http://files.localhost:1") as running:
        ann = await running.visitor_who_said()
        async with httpx2.AsyncClient() as http:
            sent = await of_visitor(running, ann, http).send(files.image(), "a.png")
            url = (await links(running, ann, http, sent["id"]))[sent["id"]]["url"]
            assert url.startswith("http://files.localhost:1/files/")
            here = running.base_url + urlsplit(url).path
            assert (await http.get(here)).status_code == 404
            shown = await http.get(here, headers={"Host": "files.localhost:1"})
            assert shown.status_code == 200
            assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
            frame = await http.get(f"{running.base_url}/w/{running.site_key}")
            assert "img-src 'self' http://files.localhost:1;" in frame.headers["content-security-policy"]


async def test_files_go_from_chat_to_ticket_and_back_and_each_reader_has_a_door(running: Running) -> None:
    nina = await running.operator("Nina", role="supervisor")
    desk = await running.signed_in(nina)
    ann = await running.visitor()
    await ann.send("enroll")
    ann.token = (await ann.until("enrolled"))["token"]
    async with httpx2.AsyncClient(headers={"Sec-Fetch-Site": "same-origin"}) as http, aclosing(desk):
        sent = await of_visitor(running, ann, http).send(files.image(), "before.png")
        leave = {"ref": "ref-00000001", "email": "ann@acme.example", "text": "It is down", "files": [sent["id"]]}
        await ann.send("leave", **leave)
        ann.conversation = (await ann.until("started"))["conversation"]["id"]
        card = await ann.until("said", lambda frame: bool((frame["entries"][-1].get("card") or {}).get("number")))
        page = card["entries"][-1]["card"]["links"][0]["url"]
        number = card["entries"][-1]["card"]["number"]

        shown = (await http.get(page)).text
        assert f"/files/{sent['id']}/small" in shown
        own = await http.get(f"{page}/files/{sent['id']}", follow_redirects=True)
        assert own.headers["content-type"] == "image/png"
        assert (await http.get(f"{page}/files/{uuid4()}")).status_code == 404
        assert (await http.get(f"{page[:-1]}x/files/{sent['id']}")).status_code == 404

        # As a form without script sends it: a good and a bad one, then the good one alone.
        chosen = [("files", ("trace.log", files.LOG)), ("files", ("run.exe", files.EXE))]
        answer = await http.post(page, data={"ref": "form-0000001", "text": "More"}, files=chosen)
        assert answer.status_code == 422
        assert "run.exe: This file type is not allowed." in answer.text
        assert "More</textarea>" in answer.text
        kept = answer.text.split('name="file" value="')[1].split('"')[0]
        for _ in range(2):
            answer = await http.post(
                page, data={"ref": "form-0000001", "text": "More", "file": kept}, files=[("files", ("", b""))]
            )
            assert answer.status_code == 303
        seen = (await http.get(page)).text
        assert seen.count("trace.log") == 1
        heard = await ann.until("said", lambda frame: frame["entries"][0].get("text") == "More")
        assert heard["entries"][0]["files"][0]["name"] == "trace.log"
        assert (await links(running, ann, http, kept))[kept]["url"]

        ticket = f"/desk/tickets/{number}"
        html = (await desk.get(ticket)).text
        assert "trace.log" in html
        assert f"/console/files/{sent['id']}/small" in html
        version = html.split('name="version" value="')[1].split('"')[0]
        reply = {"ref": "form-0000002", "kind": "reply", "text": "", "version": version, "then": ""}
        answer = await desk.post(f"{ticket}/messages", data=reply, files=[("files", ("fix.pdf", files.PDF))])
        assert answer.status_code == 303
        got = await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
        fix = got["entries"][0]["files"][0]
        assert fix["name"] == "fix.pdf"
        assert (await http.get(f"{page}/files/{fix['id']}/save", follow_redirects=True)).content == files.PDF
        assert (await desk.get(f"/console/files/{kept}", follow_redirects=True)).content == files.LOG

        # Uploaded before, by whoever has the link; another's id goes nowhere.
        post = Post(http, f"{page}/uploads")
        ready = await post.send(files.LOG, "later.log")
        assert ready["state"] == "ready"
        for stolen in (fix["id"], str(uuid4())):
            answer = await http.post(page, data={"ref": "form-0000003", "text": "x", "file": stolen})
            assert answer.status_code == 422
            assert "not there any more" in answer.text
        answer = await http.post(page, data={"ref": "form-0000004", "text": "", "file": ready["id"]})
        assert answer.status_code == 303
        foreign = await http.post(f"{page}/uploads", json={}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        # Nobody has signed in: the day's share is a visitor's.
        large = [{"ref": f"large-{number:08}", "name": "a.log", "size": 26_000_000} for number in range(3)]
        begun = [await http.post(f"{page}/uploads", json=one) for one in large]
        assert [answer.status_code for answer in begun] == [200, 200, 429]


async def test_a_file_that_is_left_out_of_the_ticket_is_not_in_it(running: Running) -> None:
    omar = await running.console(await running.operator("Omar", role="supervisor"))
    ann = await running.visitor_who_said("The server does not answer")
    assert omar.browser is not None
    async with httpx2.AsyncClient() as http:
        post = of_visitor(running, ann, http)
        sent = [(await post.send(files.LOG, name))["id"] for name in ("goes.log", "stays.log")]
    await ann.send("say", ref="ref-00000001", text="", conversation=ann.conversation, files=sent)
    await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
    address = f"/desk/conversations/{ann.conversation}/ticket"
    dialog = (await omar.browser.get(address)).text
    assert dialog.count('name="carry"') == 2
    fields = {"subject": "Down", "department": "technical", "priority": "normal", "files": "shown", "carry": sent[0]}
    answer = await omar.browser.post(address, data=fields)
    assert answer.status_code == 201
    number = answer.text.split("/desk/tickets/")[1].split('"')[0]
    page = (await omar.browser.get(f"/desk/tickets/{number}")).text
    assert "goes.log" in page
    assert "stays.log" not in page


async def test_a_customer_sends_and_reads_files_of_their_own_tickets_and_no_others(running: Running) -> None:
    rita, mallory = await add_customer(running), await add_customer(running, "Mallory", email="mallory@evil.example")
    ritas, mallorys = await signed_in(running, rita), await signed_in(running, mallory)
    async with aclosing(ritas), aclosing(mallorys), httpx2.AsyncClient() as http:
        sent = await Post(ritas, "/client/uploads").send(files.LOG, "own.log")
        assert sent["state"] == "ready"
        mine = f"/client/files/{sent['id']}/save"
        assert (await ritas.get(mine, follow_redirects=True)).content == files.LOG
        ticket, conversation, said = await _ticket_of(running, rita.customer_id, sent["id"])
        assert (await ritas.get(mine, follow_redirects=True)).content == files.LOG
        # Said in the conversation and left out of its ticket: it stands where it was said.
        talk, there = f"/client/conversations/{conversation}", f"/client/files/{said}/save"
        assert there in (await ritas.get(talk)).text
        assert (await ritas.get(there, follow_redirects=True)).content == files.PDF
        for browser in (mallorys, http):
            for foreign in (mine, there):
                assert (await browser.get(running.base_url + foreign)).status_code == 404
        assert (await mallorys.get(talk)).status_code == 404
        address = f"/client/uploads/{sent['id']}"
        assert (await mallorys.get(address)).status_code == 404
        assert (await http.get(running.base_url + address)).status_code == 401
        async with running.desk.db.write() as session:
            row = await session.get_one(Ticket, ticket)
            row.customer_id = mallory.customer_id
        assert [(await ritas.get(one)).status_code for one in (mine, there, talk)] == [404, 404, 404]
        assert (await mallorys.get(mine, follow_redirects=True)).content == files.LOG


async def _ticket_of(running: Running, customer_id: UUID, file_id: str) -> tuple[UUID, str, str]:
    """A ticket of this customer with this file; its conversation, and a file that was said only there."""
    ann = await running.visitor_who_said("It is down")
    async with httpx2.AsyncClient() as http:
        said = (await of_visitor(running, ann, http).send(files.PDF, "only-said.pdf"))["id"]
    await ann.send("say", ref="ref-00000001", text="", conversation=ann.conversation, files=[said])
    await ann.until("said", lambda frame: bool(frame["entries"][0].get("files")))
    desk = running.desk.escalation
    transcript = await running.desk.conversations.transcript_of(UUID(ann.conversation))
    assert transcript is not None
    draft = draft_ticket(transcript, ZoneInfo("Europe/Ljubljana"))
    opened = await open_ticket(
        desk.tickets,
        draft,
        UUID(ann.conversation),
        SYSTEM,
        channel="form",
        zone=ZoneInfo("Europe/Ljubljana"),
        left_out=[said],
    )
    async with running.desk.db.write() as session:
        row = await session.get_one(Ticket, opened.ticket.id)
        row.customer_id = customer_id
        await claim_files(session, f"customer:{customer_id}", [file_id], f"ticket:{row.id}")
    return opened.ticket.id, ann.conversation, said


async def test_a_new_ticket_of_a_customer_takes_its_files_and_an_outage_is_reported_without_a_bad_one(
    running: Running,
) -> None:
    owner, mallory = await add_customer(running), await add_customer(running, "Mallory", email="mallory@evil.example")
    rita = await signed_in(running, owner)
    new = "/client/tickets/new"
    async with aclosing(rita):
        ready = await Post(rita, "/client/uploads").send(files.image(), "screen.png")
        form = {"ref": "new-00000001", "department": "technical", "priority": "normal", "text": "It is slow"}
        bad = [("files", ("run.exe", files.EXE)), ("files", ("trace.log", files.LOG))]
        answer = await rita.post(new, data=form | {"file": ready["id"]}, files=bad)
        assert answer.status_code == 422
        assert "run.exe: This file type is not allowed." in answer.text
        assert answer.text.count('name="file" value="') == 2
        outage = form | {"ref": "new-00000002", "priority": "high", "where": "192.0.2.7", "text": "It is down"}
        answer = await rita.post(new, data=outage | {"file": ready["id"]}, files=bad)
        assert answer.status_code == 303
        outage_page = answer.headers["location"].partition("?")[0]
        page = (await rita.get(answer.headers["location"])).text
        assert "A file did not come along." in page
        assert "trace.log" in page
        small = f"/client/files/{ready['id']}/small"
        assert small in page
        assert (await rita.get(small, follow_redirects=True)).headers["content-type"] == "image/webp"

        # A dozen at once, and the form of somebody who was signed out meanwhile.
        dozen = [("files", (f"{n}.log", files.LOG)) for n in range(12)]
        answer = await rita.post(new, data=form | {"ref": "new-00000003"}, files=dozen)
        assert (answer.status_code, "Up to 10 files go with one message." in answer.text) == (422, True)
        outage |= {"ref": "new-00000004"}
        assert (await rita.post(new, data=outage, files=dozen)).headers["location"].endswith("missing=1")
        later = await Post(rita, "/client/uploads").send(files.LOG, "later.log")
        await rita.post("/client/sign-out")
        for path, fields in ((new, form), (outage_page, {"text": "See the log"})):
            await rita.post(path, data=fields | {"file": later["id"]}, files=[("files", ("other.log", files.LOG))])
            await rita.post(await running.desk.escalation.sign_in_links.make(owner.customer_id))
            page = (await rita.get(path)).text
            assert f'name="file" value="{later["id"]}"' in page
            assert "Attach your files once more" in page
            await rita.post("/client/sign-out")
        await rita.post(new, data=form | {"file": later["id"]})
        await rita.post(await running.desk.escalation.sign_in_links.make(mallory.customer_id))
        page = (await rita.get(new)).text
        assert ("It is slow" in page, later["id"] in page) == (True, False)
