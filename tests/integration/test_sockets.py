"""Ann visits, Omar operates, Mallory must see nothing: the two sockets of the running program."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import websockets
from sqlalchemy import delete

from chat.conversations.entry import Author
from chat.conversations.missed import Missed
from chat.db import DatabaseAway, table_of
from chat.ids import new_id
from chat.people.catalogue import KnownDepartment
from chat.people.models import Operator, OperatorDepartment
from chat.protocol.closing import Closing
from chat.sockets import operator
from chat.sockets.access import access_of_logins
from chat.sockets.socket import FLOOD_BURST
from tests.support.program import Client, Running, program


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


async def test_a_visitor_and_an_operator_talk(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    ann = await running.visitor_who_said("Good evening")
    offer = await omar.until("offered")
    assert "Good evening" in offer["html"]
    await omar.send("open", conversation=ann.conversation)
    await omar.until("paged", lambda frame: frame["stream"] == "public")
    assigned = await ann.until("said", lambda frame: frame["entries"][0].get("event") == "assigned")
    assert assigned["entries"][0]["data"] == {
        "operator": {"id": assigned["entries"][0]["data"]["operator"]["id"], "name": "Omar"}
    }
    await omar.say("Hello Ann", conversation=ann.conversation)
    heard = await ann.until("said", lambda frame: frame["entries"][0].get("text") == "Hello Ann")
    assert "html" not in heard["entries"][0]
    assert "ref" not in heard["entries"][0]
    await omar.send("type", conversation=ann.conversation)
    assert (await ann.until("typed"))["by"]["name"] == "Omar"
    await ann.send("read", conversation=ann.conversation, seq=heard["entries"][0]["seq"])
    assert (await omar.until("seen", lambda frame: frame["by"] == "visitor" and frame["seq"] > 2))["seq"] >= 4
    await ann.say("Thank you")
    seqs = [entry["seq"] for entry in ann.entries()]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_a_note_and_the_word_in_it_never_reach_a_visitor(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    ann = await running.visitor_who_said()
    await omar.until("offered")
    await omar.send("open", conversation=ann.conversation)
    await omar.send("note", ref="note-0000001", conversation=ann.conversation, text="planted-word")
    noted = await omar.until("noted")
    assert noted["entries"][0].get("text") == "planted-word"
    await omar.say("Hello", conversation=ann.conversation)
    await ann.until("said", lambda frame: frame["entries"][-1].get("text") == "Hello")
    await ann.send("fetch", conversation=ann.conversation, after=0, stream="internal")
    await ann.until("paged", lambda frame: len(frame["entries"]) > 2)
    assert "planted-word" not in str(ann.frames)
    again = await running.visitor(token=ann.token)
    await again.until("paged")
    assert "planted-word" not in str(again.frames)


async def test_a_resend_over_another_socket_is_the_same_message_everywhere(running: Running) -> None:
    ann = await running.visitor_who_said()
    tab = await running.visitor(token=ann.token)
    await tab.until("paged")
    tab.conversation = ann.conversation
    first = await ann.say("once", ref="ref-00000001")
    await tab.until("said", lambda frame: frame["entries"][0].get("text") == "once")
    await tab.send("say", ref="ref-00000001", text="once", conversation=tab.conversation)
    await tab.say("after it")
    texts = [entry.get("text") for entry in tab.entries() if entry["kind"] == "message"]
    assert texts.count("once") == 1
    assert first["seq"] in [entry["seq"] for entry in tab.entries()]


async def test_resuming_brings_what_was_missed_in_order_and_nothing_else(running: Running) -> None:
    ann = await running.visitor_who_said()
    seen = (await ann.say("before"))["seq"]
    tab = await running.visitor(token=ann.token)
    tab.conversation = ann.conversation
    await ann.leave()
    for n in range(5):
        await tab.say(f"missed {n}")
    back = await running.visitor(token=ann.token, conversation=ann.conversation, last_seen=seen)
    page = await back.until("paged")
    assert [entry.get("text") for entry in page["entries"]] == [f"missed {n}" for n in range(5)]
    assert not page.get("reset", False)


async def test_a_long_conversation_comes_in_pages_without_a_hole(running: Running) -> None:
    ann = await running.visitor_who_said()
    found = ann.conversation
    author = Author("operator", new_id(), "Omar")
    say = running.desk.conversations.say
    await asyncio.gather(*(say(UUID(found), author, "x" * 400, f"ref-{n:08}") for n in range(500)))
    back = await running.visitor(token=ann.token, conversation=found, last_seen=1)
    page = await back.until("paged")
    got = [entry["seq"] for entry in page["entries"]]
    while page.get("more"):
        await back.send("fetch", conversation=found, after=got[-1])
        page = await back.until("paged")
        got += [entry["seq"] for entry in page["entries"]]
    assert got == list(range(2, 503))
    fresh = await running.visitor(token=ann.token)
    page = await fresh.until("paged")
    assert page["reset"]
    assert page["earlier"]
    assert page["entries"][-1]["seq"] == 502
    await fresh.send("fetch", conversation=found, before=page["entries"][0]["seq"])
    assert (await fresh.until("paged"))["back"]


# ── Mallory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_foreign_conversation_and_an_unknown_one_give_the_same_answer(running: Running) -> None:
    ann = await running.visitor_who_said("secret-word")
    answers = []
    for named in (ann.conversation, str(new_id()), "x" * 36):
        mallory = await running.visitor_who_said("Hi")
        for kind, fields in (
            ("say", {"ref": "ref-00000001", "text": "x"}),
            ("read", {"seq": 1}),
            ("fetch", {"after": 0}),
            ("end", {}),
            ("rate", {"score": 1}),
            ("leave", {"ref": "ref-00000002", "email": "m@x.example", "text": "x"}),
        ):
            await mallory.send(kind, **fields, conversation=named)
            answers.append((await mallory.until("refused"))["code"])
        assert "secret-word" not in str(mallory.frames)
    assert set(answers) == {"unknown-conversation"}
    again = await running.visitor(token=ann.token)
    assert [entry.get("text") for entry in (await again.until("paged"))["entries"] if entry.get("text")] == [
        "secret-word"
    ]


async def test_without_a_token_nothing_can_be_said_and_a_made_up_token_is_nobody(running: Running) -> None:
    mallory = await running.visitor(token="t" * 43)
    assert not mallory.welcomed["known"]
    await mallory.send("start", ref="ref-00000001", text="x")
    assert (await mallory.until("refused"))["code"] == "unknown-conversation"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:PORT",
        "http://127.0.0.1:PORT.evil.example",
        "http://127.0.0.1:PORT/",
        "http://evil.example#http://127.0.0.1:PORT",
        "HTTP://127.0.0.1:PORT",
        "http://localhost:PORT",
        "",
    ],
)
async def test_a_foreign_origin_is_refused_at_both_sockets(running: Running, origin: str) -> None:
    origin = origin.replace("PORT", running.base_url.rpartition(":")[2])
    for path in ("/console/socket", f"/w/{running.site_key}/socket"):
        with pytest.raises(websockets.InvalidStatus) as caught:
            await Client.connect(running, path, origin)
        assert caught.value.response.status_code == 403


async def test_no_origin_is_nobody_at_the_console(running: Running) -> None:
    address = running.base_url.replace("http", "ws", 1)
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"{address}/console/socket")


async def test_a_site_that_does_not_exist_has_no_socket(running: Running) -> None:
    with pytest.raises(websockets.InvalidStatus):
        await Client.connect(running, "/w/nobody/socket")


async def test_a_pass_works_once(running: Running) -> None:
    browser = await running.signed_in(await running.operator())
    used = (await browser.post("/console/socket-pass")).json()["socket_pass"]
    first = await Client.connect(running, "/console/socket")
    await first.send("attend", socket_pass=used)
    await first.until("attended")
    second = await Client.connect(running, "/console/socket")
    await second.send("attend", socket_pass=used)
    assert await second.close_code() == 4503
    await browser.aclose()


async def test_a_pass_needs_a_sign_in_and_our_own_page(running: Running) -> None:
    async with httpx2.AsyncClient(base_url=running.base_url) as stranger:
        answer = await stranger.post("/console/socket-pass", headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 401
    browser = await running.signed_in(await running.operator())
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "https://evil.example"}):
        assert (await browser.post("/console/socket-pass", headers=headers)).status_code == 403
    await browser.aclose()


async def test_sign_out_closes_the_open_console(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    assert omar.browser is not None
    answer = await omar.browser.post("/console/sign-out")
    assert answer.status_code in (200, 303)
    assert await omar.close_code(seconds=2) == 4503


async def test_an_operator_of_another_department_sees_nothing(running: Running) -> None:
    ann = await running.visitor_who_said("secret-word")
    mallory = await running.console(await running.operator("Mallory", departments=["financial"]))
    for frame in ("open", "accept", "end"):
        await mallory.send(frame, conversation=ann.conversation, **({} if frame == "open" else {"ref": "ref-00000001"}))
        assert (await mallory.until("refused"))["code"] == "unknown-conversation"
    await mallory.send("take", ref="ref-00000002")
    assert (await mallory.until("refused"))["code"] == "nothing-waiting"
    await ann.say("again")
    assert "secret-word" not in str(mallory.frames)


async def test_a_department_that_is_lost_takes_its_open_conversations_with_it(running: Running) -> None:
    ann = await running.visitor_who_said("before")
    operator = await running.operator("Mallory", departments=["technical"])
    mallory = await running.console(operator)
    await mallory.until("offered")
    await running.desk.pairing.appear(operator.id, "away")
    await running.desk.pairing.withdraw(UUID(ann.conversation), operator.id, "declined")
    await mallory.send("open", conversation=ann.conversation)
    await mallory.until("paged")
    members = table_of(OperatorDepartment)
    async with running.desk.db.write() as session:
        await session.execute(delete(members).where(members.c.operator_id == operator.id))
    await mallory.until("withdrawn", lambda frame: frame["because"] == "moved", seconds=4)
    await ann.say("secret-word")
    await mallory.send("open", conversation=ann.conversation)
    assert (await mallory.until("refused"))["code"] == "unknown-conversation"
    assert "secret-word" not in str(mallory.frames)


async def test_a_conversation_that_moved_to_another_department_is_closed_to_who_gave_it_away(running: Running) -> None:
    ann = await running.visitor_who_said()
    omar = await running.console(await running.operator("Omar", departments=["technical"]))
    await omar.until("offered")
    await omar.send("open", conversation=ann.conversation)
    await omar.until("paged", lambda frame: frame["stream"] == "internal")
    await omar.send("transfer", conversation=ann.conversation, department="financial", note="VAT", ref="ref-00000001")
    await omar.until("withdrawn", lambda frame: frame["because"] == "moved")
    await ann.say("secret-word")
    await omar.send("beat")
    await omar.send("take", ref="ref-00000002")
    await omar.until("refused")
    assert "secret-word" not in str(omar.frames)


async def test_who_attends_while_the_sweep_reads_is_not_taken_for_signed_out(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.console(await running.operator("Omar"))
    reads, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        found = await access_of_logins(*arguments)
        reads.set()
        await goes_on.wait()
        return found

    monkeypatch.setattr("chat.sockets.operators.access_of_logins", slowly)
    sweep = asyncio.create_task(running.desk.operator_sockets.end_revoked())
    await reads.wait()
    luka = await running.console(await running.operator("Luka"))
    goes_on.set()
    await sweep
    await luka.send("take", ref="ref-00000001")
    assert (await luka.until("refused"))["code"] == "nothing-waiting"


async def test_an_offer_that_went_to_a_colleague_cannot_be_accepted(running: Running) -> None:
    omar, luka = [await running.operator(name) for name in ("Omar", "Luka")]
    consoles = {one.id: await running.console(one) for one in (omar, luka)}
    ann = await running.visitor_who_said()
    async with asyncio.timeout(10):
        while not any("offered" in str(console.frames) for console in consoles.values()):  # noqa: ASYNC110 — either
            await asyncio.sleep(0.01)
    first = next(one for one in (omar, luka) if "offered" in str(consoles[one.id].frames))
    second = luka if first is omar else omar
    await consoles[first.id].send("decline", conversation=ann.conversation, ref="ref-00000001")
    await consoles[second.id].until("offered")
    await consoles[first.id].send("accept", conversation=ann.conversation, ref="ref-00000002")
    refused = await consoles[first.id].until("refused")
    assert (refused["ref"], refused["code"]) == ("ref-00000002", "not-yours")
    for _ in range(2):  # a resend is answered alike
        await consoles[second.id].send("accept", conversation=ann.conversation, ref="ref-00000003")
        await consoles[second.id].until("done")


async def test_a_console_that_could_not_be_shown_an_offer_comes_back_for_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    omar = await running.operator("Omar")
    console = await running.console(omar)

    async def away(*_asked: Any) -> Any:
        raise DatabaseAway

    with monkeypatch.context() as now:
        now.setattr(operator, "rows_of", away)
        ann = await running.visitor_who_said()
        assert await console.close_code() == 4002
    again = await running.console(omar)
    assert (await again.until("offered"))["conversation"] == ann.conversation


async def test_garbage_closes_its_own_socket_only(running: Running) -> None:
    ann = await running.visitor_who_said()
    for garbage, code in (("{", 4501), (b"\x00\x01", 4501), ('{"type":"enroll"}', 4502), ("x" * 70_000, 1009)):
        mallory = await Client.connect(running, f"/w/{running.site_key}/socket")
        await mallory.socket.send(garbage)
        assert await mallory.close_code() == code
    await ann.say("still here")


async def test_a_flood_is_refused_aloud_and_the_text_can_be_sent_later(running: Running) -> None:
    ann = await running.visitor_who_said()
    for n in range(20):
        await ann.send("say", ref=f"flood-{n:08}", text=f"{n}", conversation=ann.conversation)
    refused = await ann.until("refused")
    assert refused["code"] == "too-fast"
    assert refused["retry"]
    assert refused["retry_after"] > 0
    assert refused["ref"].startswith("flood-")


async def test_refusals_are_in_the_readers_language(running: Running) -> None:
    mallory = await running.visitor(locale="sl")
    await mallory.send("enroll")
    await mallory.until("enrolled")
    await mallory.send("start", ref="ref-00000001", text="   ")
    message = (await mallory.until("refused"))["message"]
    assert message != "Write a few words first."
    assert message


async def test_one_address_cannot_take_all_sockets_and_operators_still_come_in(tmp_path: Path) -> None:
    async with program(tmp_path, sockets_per_address=3) as running:
        ann = await running.visitor_who_said()
        for _ in range(2):
            await running.visitor()
        with pytest.raises(websockets.InvalidStatus) as caught:
            await running.visitor()
        assert caught.value.response.status_code == 429
        assert int(caught.value.response.headers["Retry-After"]) > 0
        await running.console(await running.operator("Omar"))
        await ann.leave()
        async with asyncio.timeout(10):
            while len(running.desk.visitor_sockets.all) > 2:  # noqa: ASYNC110 — the set offers no event
                await asyncio.sleep(0)
        await running.visitor()


async def test_long_texts_never_make_a_page_that_closes_its_reader(running: Running) -> None:
    ann = await running.visitor_who_said()
    omar = await running.console(await running.operator("Omar"))
    author = Author("operator", new_id(), "Omar")
    say = running.desk.conversations.say
    await asyncio.gather(*(say(UUID(ann.conversation), author, "'" * 10_000, f"ref-{n:08}") for n in range(80)))
    back = await running.visitor(token=ann.token)
    page = await back.until("paged")
    await omar.send("open", conversation=ann.conversation)
    for client, newest in ((back, page), (omar, await omar.until("paged", lambda frame: frame["stream"] == "public"))):
        got = newest["entries"]
        while got[0]["seq"] > 1:
            await client.send("fetch", conversation=ann.conversation, before=got[0]["seq"])
            got = (await client.until("paged", lambda frame: frame.get("back", False)))["entries"] + got
        head = got[-1]["seq"]
        assert [entry["seq"] for entry in got] == list(range(1, head + 1))
        assert not client.closed


# ── when the database is away ────────────────────────────────────────────────────────────────────────────────────────


class Away:
    """A transaction that cannot be begun."""

    async def __aenter__(self) -> None:
        raise DatabaseAway

    async def __aexit__(self, *_: object) -> None:
        return


async def test_an_introduction_that_could_not_be_read_is_made_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await running.visitor_who_said()
    browser = await running.signed_in(await running.operator())
    socket_pass = (await browser.post("/console/socket-pass")).json()["socket_pass"]
    back = await Client.connect(running, f"/w/{running.site_key}/socket")
    omar = await Client.connect(running, "/console/socket")
    with monkeypatch.context() as patch:
        patch.setattr(running.desk.db, "read", Away)
        patch.setattr(running.desk.db, "write", Away)
        await back.send("hello", site=running.site_key, token=ann.token)
        await omar.send("attend", socket_pass=socket_pass)
        assert await back.close_code() == 4002
        assert await omar.close_code() == 4002
        await ann.send("end", conversation=ann.conversation)
        refused = await ann.until("refused")
    assert (refused["code"], refused["retry"]) == ("unavailable", True)
    await ann.say("still here")
    await browser.aclose()


async def test_a_locked_database_refuses_with_a_retry_and_keeps_the_socket(running: Running) -> None:
    ann = await running.visitor_who_said()
    path = running.settings.effective_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await ann.send("rate", conversation=ann.conversation, score=5)
        refused = await ann.until("refused", seconds=20)
        assert (refused["code"], refused["retry"]) == ("unavailable", True)
        other.execute("ROLLBACK")
    await ann.say("still here")


async def test_a_start_that_was_stored_but_not_shown_is_acknowledged_when_sent_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await running.visitor()
    await ann.send("enroll")
    await ann.until("enrolled")
    with monkeypatch.context() as patch:

        async def fails(*_: object) -> None:
            raise DatabaseAway

        patch.setattr(Missed, "after", fails)
        await ann.send("start", ref="ref-00000001", text="Hello")
        assert (await ann.until("refused"))["code"] == "unavailable"
    await ann.send("start", ref="ref-00000001", text="Hello")
    page = await ann.until("paged")
    assert page["entries"][0]["ref"] == "ref-00000001"


async def test_what_was_begun_is_finished_though_its_client_left(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await running.visitor_who_said()
    begun, goes_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    rate = running.desk.conversations.rate

    async def slowly(*arguments: Any) -> None:
        begun.set()
        await goes_on.wait()
        await rate(*arguments)
        done.set()

    monkeypatch.setattr(running.desk.conversations, "rate", slowly)
    await ann.send("rate", conversation=ann.conversation, score=5)
    await begun.wait()
    (socket,) = running.desk.visitor_sockets.all
    socket.connection.close(Closing.RETIRING)
    await socket.connection.until_closed()
    goes_on.set()
    async with asyncio.timeout(10):
        await done.wait()


async def test_a_flood_of_no_frames_is_read_slowly_and_harms_nobody(running: Running) -> None:
    ann = await running.visitor_who_said()
    mallory = await running.visitor()
    for _ in range(FLOOD_BURST + 100):
        await mallory.send("nonsense")
    await ann.say("heard at once")
    assert len([frame for frame in mallory.frames if frame["type"] == "refused"]) < FLOOD_BURST + 100


async def test_one_address_begins_so_many_conversations_and_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with program(tmp_path, conversations_per_hour=2) as running:
        ann = await running.visitor_who_said()
        await running.visitor_who_said()
        third = await running.visitor()
        await third.send("enroll")
        await third.until("enrolled")
        for kind, more in (("start", {}), ("leave", {"email": "c@novak.si"})):
            await third.send(kind, ref="ref-00000001", text="Hello", **more)
            refused = await third.until("refused")
            assert (refused["code"], refused["ref"], refused["retry"]) == ("too-fast", "ref-00000001", True)
            assert refused["retry_after"] > 60
        await ann.say("who talks already talks on")


async def test_who_reads_attended_is_present_for_all_others(running: Running) -> None:
    for number in range(5):
        operator = await running.operator(f"Operator {number}")
        await running.console(operator)
        async with running.desk.db.read() as session:
            assert (await session.get_one(Operator, operator.id)).present


async def test_a_colleague_with_two_windows_is_viewing_until_the_last_one_is_closed(running: Running) -> None:
    def viewers(frame: dict[str, Any]) -> list[str]:
        return [one["name"] for one in frame.get("operators", [])]

    ann = await running.visitor_who_said()
    omar, nika = [await running.operator(name) for name in ("Omar", "Nika")]
    windows = [await running.console(omar) for _ in range(2)]
    for window in windows:
        await window.send("open", conversation=ann.conversation)
        await window.until("paged", lambda frame: frame["stream"] == "internal")
    watching = await running.console(nika)
    await watching.send("open", conversation=ann.conversation)
    await watching.until("viewed", lambda frame: viewers(frame) == ["Omar"])
    await windows[0].send("close", conversation=ann.conversation)
    await windows[0].send("open", conversation="nonsense")
    await windows[0].until("refused")  # so the one before was acted upon
    await ann.say("Still there?")
    await watching.until("said")
    assert [] not in [viewers(frame) for frame in watching.frames if frame["type"] == "viewed"]
    await windows[1].send("close", conversation=ann.conversation)
    await watching.until("viewed", lambda frame: viewers(frame) == [])


@pytest.mark.parametrize("kind", ["visitor", "operator"])
async def test_who_asks_whether_the_line_lives_is_answered_once_and_an_answer_is_not(
    running: Running, kind: str
) -> None:
    path = f"/w/{running.site_key}/socket" if kind == "visitor" else "/console/socket"
    introduction = {"type": "hello", "site": running.site_key}
    if kind == "operator":
        browser = await running.signed_in(await running.operator("Omar"))
        introduction = {"type": "attend", **(await browser.post("/console/socket-pass")).json()}
        await browser.aclose()
    address = running.base_url.replace("http", "ws", 1) + path
    async with asyncio.timeout(10), websockets.connect(address, origin=websockets.Origin(running.base_url)) as line:
        await line.send(json.dumps(introduction))
        await line.recv()
        for frame in ({"type": "beat"}, {"type": "beat", "ask": True}, {"type": "beat"}):
            await line.send(json.dumps(frame))
        await line.send(json.dumps({"type": "fetch", "conversation": str(new_id()), "after": 0}))
        heard = [json.loads(await line.recv()) for _ in range(2)]
    assert [frame["type"] for frame in heard] == ["beat", "refused"]
    assert "ask" not in heard[0]


async def test_who_is_welcomed_while_an_operator_comes_reads_it_once_and_nothing_older_after_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await running.visitor_who_said()
    await ann.leave()
    desk = running.desk
    ana = await running.operator()
    department = desk.catalogue.department

    async def an_operator_comes(department_id: UUID) -> KnownDepartment:
        monkeypatch.undo()
        await desk.presence.arrive(ana.id)
        desk.staff.changed()
        await desk.visitor_sockets.tell_staff(await desk.staff.now())
        return await department(department_id)

    monkeypatch.setattr(desk.catalogue, "department", an_operator_comes)
    back = await running.visitor(token=ann.token)
    await back.until("queued")
    told = [frame for frame in back.frames if frame["type"] in ("welcomed", "staffed")]
    assert told[0]["type"] == "welcomed"
    assert {frame["staff"]["online"] for frame in told} == {1}
