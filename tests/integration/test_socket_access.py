"""Who may see what on the two sockets: foreign pages, foreign conversations, access that ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import websockets
from sqlalchemy import delete

from chat.db import table_of
from chat.ids import new_id
from chat.people.models import OperatorDepartment
from chat.sockets.access import access_of_logins
from tests.support.program import Client, Running, program


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


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
