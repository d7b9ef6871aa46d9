"""Thousands come back at once: few queries each, one after the other, and page trails are written together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets
from sqlalchemy import event, select
from sqlmodel import col

from chat.ids import hashed, new_id
from chat.people.models import Site, Visitor
from chat.people.visits import PAGES
from chat.sockets.visitors import SOCKETS_PER_VISITOR
from tests.support.program import Client, Running, program

PAGE = "https://www.polaris.example"


@pytest.fixture
async def running(tmp_path: Path, database_url: str) -> AsyncIterator[Running]:
    async with program(tmp_path, database_url) as running:
        yield running


@contextmanager
def statements(running: Running) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    engine = running.desk.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def back(running: Running, ann: Client, **more: Any) -> Client:
    last = ann.entries()[-1]["seq"]
    tab = await running.visitor(token=ann.token, conversation=ann.conversation, last_seen=last, **more)
    await tab.until("paged")
    return tab


async def trail(running: Running, token: str) -> list[str]:
    async with running.desk.db.read() as session:
        found = await session.execute(select(col(Visitor.pages)).where(col(Visitor.token_hash) == hashed(token)))
    return [page["url"] for page in found.scalar_one()]


async def test_a_client_that_resumes_costs_two_queries(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    ann = await running.visitor_who_said()
    await omar.until("offered")
    await omar.send("open", conversation=ann.conversation)
    await ann.until("said", lambda frame: frame["entries"][0].get("event") == "assigned")
    await ann.say("Hello")
    await omar.leave()
    await back(running, ann, page={"url": f"{PAGE}/"})  # departments, who is there: read once for all
    await running.desk.visits.write()
    with statements(running) as asked:
        tabs = [await back(running, ann, page={"url": f"{PAGE}/{n}"}) for n in range(SOCKETS_PER_VISITOR - 2)]
    mine = [one for one in asked if "token_hash IN" in one or "JOIN wanted_1" in one]
    assert len(mine) == 2 * len(tabs), mine
    # The rest comes by the clock, and for all of them: nothing is asked as often as there are tabs, in whatever words.
    others = [one for one in asked if one not in mine]
    once, words = len(tabs) // 2, {statement.partition("WHERE")[0] for statement in others}
    assert all(sum(one.startswith(start) for one in others) <= once for start in words), others
    assert tabs[-1].welcomed["conversation"]["operator"]["name"] == "Omar"
    assert tabs[-1].welcomed["conversation"]["department_name"]


async def test_a_crowd_costs_fewer_and_everybody_gets_what_they_missed(running: Running) -> None:
    people = [await running.visitor_who_said(f"Hello {n}") for n in range(30)]
    for n, ann in enumerate(people):
        for word in range(n % 4):
            await ann.say(f"{n}-{word}")
    with statements(running) as asked:
        tabs = await asyncio.gather(
            *(running.visitor(token=ann.token, conversation=ann.conversation, last_seen=2) for ann in people)
        )
        for tab in tabs:
            await tab.until("paged")
    assert len([one for one in asked if "token_hash" in one or "FROM message" in one]) < len(people)
    for n, (ann, tab) in enumerate(zip(people, tabs, strict=True)):
        assert tab.welcomed["conversation"]["id"] == ann.conversation
        assert [entry["text"] for entry in tab.entries()] == [f"{n}-{word}" for word in range(n % 4)]


async def test_the_latest_conversation_comes_back_and_a_token_is_worth_nothing_elsewhere(running: Running) -> None:
    ann = await running.visitor_who_said("The first one")
    first = ann.conversation
    await ann.send("end", conversation=first)
    await ann.until("said", lambda frame: frame["entries"][-1].get("event") == "ended")
    await ann.send("start", ref="ref-00000002", text="The second one")
    second = (await ann.until("started"))["conversation"]["id"]
    assert second != first
    assert (await running.visitor(token=ann.token)).welcomed["conversation"]["id"] == second
    async with running.desk.db.write() as session:
        site = Site(
            id=new_id(), key="elsewhere", name="E", origins=[], settings={}, created_at=running.desk.clock.now()
        )
        session.add(site)
    stranger = await Client.connect(running, "/w/elsewhere/socket")
    await stranger.send("hello", site="elsewhere", token=ann.token)
    assert not (await stranger.until("welcomed"))["known"]


async def test_pages_are_written_together_and_the_last_ten_are_kept(running: Running) -> None:
    people = [await running.visitor_who_said(f"Hello {n}") for n in range(3)]
    await running.desk.visits.write()
    with statements(running) as asked:
        for ann in people:
            for n in range(PAGES + 2):
                await ann.send("visit", page={"url": f"{PAGE}/{n}", "title": f"Page {n}"})
            await ann.send("visit", page={"url": f"{PAGE}/{PAGES + 1}", "title": "the same again"})
            await ann.send("beat", ask=True)
            await ann.say("acted upon")
        await running.desk.visits.write()
        written = [one for one in asked if one.startswith("UPDATE visitor")]
    assert 1 <= len(written) <= 12
    for ann in people:
        assert await trail(running, ann.token) == [f"{PAGE}/{n}" for n in range(2, PAGES + 2)]


async def test_a_visitor_has_so_many_sockets_and_a_free_place_is_given_again(running: Running) -> None:
    ann = await running.visitor_who_said()
    tabs = [await running.visitor(token=ann.token) for _ in range(SOCKETS_PER_VISITOR - 1)]
    one_more = await Client.connect(running, f"/w/{running.site_key}/socket")
    await one_more.send("hello", site=running.site_key, token=ann.token)
    assert await one_more.close_code() == 4003
    await running.visitor()  # others are not concerned
    await tabs[0].leave()
    async with asyncio.timeout(10):
        while True:
            again = await Client.connect(running, f"/w/{running.site_key}/socket")
            await again.send("hello", site=running.site_key, token=ann.token)
            try:
                await again.until("welcomed")
            except AssertionError:
                continue  # the tab that left is still on its way out
            break


async def test_who_may_not_come_in_takes_nobodys_turn(tmp_path: Path) -> None:
    async with program(tmp_path, resumes_per_second=1) as running:
        for path in (f"/w/{running.site_key}/socket", "/console/socket"):
            for _ in range(10):
                with pytest.raises(websockets.InvalidStatus) as refused:
                    await Client.connect(running, path, origin="https://evil.example")
                assert refused.value.response.status_code == 403
        assert running.desk.gate.take(running.desk.clock.monotonic()) == 0


async def test_a_crowd_waits_its_turn_operators_come_first_and_the_rest_is_told_when_to_come(tmp_path: Path) -> None:
    async with program(tmp_path, resumes_per_second=5) as running:
        operator = await running.operator("Omar")
        browser = await running.signed_in(operator)
        given = (await browser.post("/console/socket-pass")).json()["socket_pass"]
        address = f"{running.base_url.replace('http', 'ws', 1)}/w/{running.site_key}/socket"

        async def come() -> tuple[int, int]:
            """Status, and seconds until another try makes sense."""
            try:
                async with websockets.connect(address, origin=websockets.Origin(running.base_url)):
                    return 101, 0
            except websockets.InvalidStatus as refused:
                return refused.response.status_code, int(refused.response.headers["Retry-After"])

        crowd = [asyncio.create_task(come()) for _ in range(40)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        omar = await Client.connect(running, "/console/socket")
        await omar.send("attend", socket_pass=given)
        await omar.until("attended")
        assert not all(one.done() for one in crowd)
        answers = await asyncio.gather(*crowd)
        assert all(seconds >= 4 for code, seconds in answers if code == 503)
        codes = [code for code, _ in answers]
        assert set(codes) == {101, 503}
        assert 18 <= codes.count(101) <= 30
        async with httpx2.AsyncClient() as http:
            hello = f'{{"type":"hello","site":"{running.site_key}"}}'
            polls = await asyncio.gather(
                *(http.post(f"{running.base_url}/w/{running.site_key}/poll", content=hello) for _ in range(40))
            )
        assert {answer.status_code for answer in polls} == {200, 503}
        await browser.aclose()
