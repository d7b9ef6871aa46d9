"""Ann visits, Omar operates, Mallory must see nothing: the two sockets of the running program."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import websockets

from chat.conversations.entry import Author
from chat.db import DatabaseAway
from chat.ids import new_id
from chat.people.catalogue import KnownDepartment
from chat.people.models import Operator
from chat.sockets import operator
from tests.support.program import Running, program


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


async def test_refusals_are_in_the_readers_language(running: Running) -> None:
    mallory = await running.visitor(locale="sl")
    await mallory.send("enroll")
    await mallory.until("enrolled")
    await mallory.send("start", ref="ref-00000001", text="   ")
    message = (await mallory.until("refused"))["message"]
    assert message != "Write a few words first."
    assert message


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
