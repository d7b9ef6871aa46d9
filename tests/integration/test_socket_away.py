"""The two sockets while the database is away, or a client leaves in the middle."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat.conversations.missed import Missed
from chat.db import DatabaseAway
from chat.protocol.closing import Closing
from tests.support.program import Client, Running, program


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


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


async def test_who_asks_whether_the_line_lives_is_answered_while_a_word_waits(running: Running) -> None:
    ann = await running.visitor_who_said()
    path = running.settings.effective_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        # In a thread: a write of the program that began before ends in this loop.
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        await ann.send("say", ref="waits-0001", conversation=ann.conversation, text="waits")
        await ann.ask()
        assert not [frame for frame in ann.frames if frame.get("ref") == "waits-0001"]
        other.execute("ROLLBACK")
    await ann.until("said", lambda frame: frame["entries"][-1].get("text") == "waits")


async def test_a_locked_database_refuses_with_a_retry_and_keeps_the_socket(running: Running) -> None:
    ann = await running.visitor_who_said()
    path = running.settings.effective_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        # In a thread: a write of the program that began before ends in this loop.
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
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
