"""What is too much, too long or nonsense on the two sockets: refused aloud, harmless to all others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import websockets

from chat.conversations.entry import Author
from chat.ids import new_id
from chat.sockets.visitors import VisitorSocket
from tests.support.program import Client, Running, program


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


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


async def test_a_flood_of_no_frames_is_read_slowly_and_harms_nobody(running: Running) -> None:
    ann = await running.visitor_who_said()
    mallory = await running.visitor()
    sent = int(VisitorSocket.flood[0]) + 100
    for _ in range(sent):
        await mallory.send("nonsense")
    await ann.say("heard at once")
    assert len([frame for frame in mallory.frames if frame["type"] == "refused"]) < sent


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
