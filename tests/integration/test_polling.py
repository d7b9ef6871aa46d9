"""The long poll: the frames of a socket for those who get none, from whichever process answers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat.clock import SystemClock
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.ids import new_id
from chat.pairing.presence import online_count
from tests.support.buses import until
from tests.support.databases import PostgresMaker
from tests.support.polls import OperatorPoller, VisitorPoller
from tests.support.program import Running, program

LONG = 20.0


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as running:
        yield running


@pytest.fixture
async def pair(tmp_path: Path, postgres_maker: PostgresMaker) -> AsyncIterator[tuple[Running, Running]]:
    """Two servers of one desk."""
    broker, url = MemoryBroker(), postgres_maker.make()
    async with (
        program(tmp_path / "a", url, MemoryBus(broker, "a key for tests")) as first,
        program(tmp_path / "b", url, MemoryBus(broker, "a key for tests")) as second,
    ):
        yield first, second


async def test_a_conversation_over_polls_alone(running: Running) -> None:
    omar = await running.console(await running.operator("Omar"))
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.poll()
    assert [kind for kind in ann.kinds if kind != "staffed"] == ["welcomed", "polled"]  # Omar has come just now
    await ann.begin("Good evening")
    assert (await omar.until("offered"))["conversation"] == ann.conversation
    await omar.send("open", conversation=ann.conversation)
    await omar.until("paged", lambda frame: frame["stream"] == "public")
    await ann.poll(wait=LONG)
    assert ann.shown[-1].get("event") == "assigned"
    entry = await ann.say("Invoice 1187", "ref-00000001")
    assert entry["seq"] == ann.cursor
    await ann.poll()
    hanging = asyncio.create_task(ann.poll(wait=LONG))
    await omar.say("Hello Ann", conversation=ann.conversation)
    await hanging
    while ann.shown[-1].get("text") != "Hello Ann":  # what ended the first was other news
        await ann.poll(wait=LONG)
    await ann.close()


async def test_a_poll_hangs_until_there_is_news_and_says_how_things_stand(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.begin("Good evening")
    await ann.poll()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await ann.poll(wait=1)
    assert loop.time() - began >= 1
    assert set(ann.kinds) <= {"welcomed", "paged", "queued", "polled"}
    # What changed between two polls, and is in no stream, is an answer at once.
    omar = await running.console(await running.operator("Omar"))
    began = loop.time()
    await ann.poll(wait=LONG)
    assert loop.time() - began < LONG / 2
    await omar.leave()
    await ann.close()


async def test_a_resend_is_the_same_message_and_a_refusal_is_said(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.begin("Good evening")
    first = await ann.say("once", "ref-00000001")
    seen = list(ann.shown)
    await ann.poll({"type": "say", "ref": "ref-00000001", "conversation": ann.conversation, "text": "once"})
    assert ann.shown == seen
    assert first["seq"] == 3
    await ann.poll({"type": "say", "ref": "ref-00000002", "conversation": str(new_id()), "text": "to nobody"})
    refused = ann.only("refused")
    assert (refused["code"], refused["ref"]) == ("unknown-conversation", "ref-00000002")
    await ann.close()


async def test_all_lines_are_acted_upon_in_order(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.begin("Good evening")
    texts = [f"line {n}" for n in range(8)]
    await ann.poll(
        *(
            {"type": "say", "ref": f"ref-0000000{n}", "conversation": ann.conversation, "text": text}
            for n, text in enumerate(texts)
        )
    )
    assert [entry["text"] for entry in ann.shown if entry["kind"] == "message"][1:] == texts
    await ann.close()


async def test_a_socket_that_would_be_closed_is_an_answer_with_its_code(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    ann.take(await ann.post(f"/w/{running.site_key}/poll", [{"type": "enroll"}]))
    assert ann.frames == [{"type": "closed", "code": 4502}]
    ann.take(await ann.post("/console/poll", [{"type": "attend", "socket_pass": "x" * 40}]))
    assert ann.frames == [{"type": "closed", "code": 4503}]
    await ann.close()


async def test_what_is_no_poll_is_told_so(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    path = f"{running.base_url}/w/{running.site_key}/poll"
    hello = b'{"type":"hello","site":"polaris"}'
    assert (await ann.http.post(path, content=b"")).status_code == 400
    assert (await ann.http.post(path, content=hello + b"\n\xff")).status_code == 400
    assert (await ann.http.post(path, content=hello + b"\n" + b" " * 65536)).status_code == 413
    assert (await ann.http.post(path, content=b"\n".join([hello] * 65))).status_code == 400
    for wait in ("26", "-1", "soon", "nan"):
        assert (await ann.http.post(path, params={"wait": wait}, content=hello)).status_code == 400
    assert (await ann.http.get(path)).status_code == 405
    assert (await ann.http.post(f"{running.base_url}/w/nobody/poll", content=hello)).status_code == 403
    await ann.close()


async def test_nesting_without_end_is_malformed_and_no_fault_of_ours(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    path = f"{running.base_url}/w/{running.site_key}/poll"
    for deep in (b'{"type":"hello","site":"polaris","page":' + b"[" * 30_000, b'{"unknown":' + b"[" * 30_000):
        answer = await ann.http.post(path, content=deep, headers={"Origin": running.base_url})
        ann.take(answer)
        assert ann.kinds[-1] in ("closed", "polled")
    await ann.close()


async def test_many_frames_are_refused_one_by_one_and_answered_at_once(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    read = {"type": "read", "conversation": str(new_id()), "seq": 1}
    async with asyncio.timeout(10):
        ann.take(await ann.post(f"/w/{running.site_key}/poll", [{"type": "hello", "site": "any"}, *[read] * 60]))
    assert ann.kinds.count("refused") == 60
    await ann.close()


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_a_foreign_page_is_refused_at_both(running: Running, headers: dict[str, str]) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    assert (await ann.ask(headers=headers)).status_code == 403
    browser = await running.signed_in(await running.operator("Omar"))
    omar = OperatorPoller([running.base_url], browser.cookies)
    assert (await omar.ask(headers=headers)).status_code == 403
    await browser.aclose()
    await omar.close()
    await ann.close()


async def test_no_origin_is_nobody_at_the_console(running: Running) -> None:
    browser = await running.signed_in(await running.operator("Omar"))
    made = (await browser.post("/console/socket-pass")).json()["socket_pass"]
    answer = await browser.post("/console/poll", content='{"type":"attend","socket_pass":"' + made + '"}')
    assert answer.status_code == 403
    await browser.aclose()


async def test_who_polls_too_fast_is_told_when_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.sockets.polling.PER_MINUTE", 3)
    async with program(tmp_path) as running:
        ann = VisitorPoller([running.base_url], running.site_key)
        await ann.begin("Good evening")
        answers = [await ann.ask() for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        other = VisitorPoller([running.base_url], running.site_key)
        await other.begin("Good morning")  # others from the same address are not refused
        await other.close()
        await ann.close()


async def test_processes_that_answer_in_turn_lose_and_double_nothing(pair: tuple[Running, Running]) -> None:
    first, second = pair
    omar = await first.console(await first.operator("Omar"))
    ann = VisitorPoller([second.base_url, first.base_url], first.site_key)
    await ann.begin("Good evening")
    await omar.send("open", conversation=ann.conversation)
    await omar.until("paged", lambda frame: frame["stream"] == "public")
    wanted = ["Good evening"]

    async def omar_talks() -> None:
        for n in range(30):
            wanted.append(f"o{n}")
            await omar.say(f"o{n}", conversation=ann.conversation)

    async def ann_listens() -> None:
        while len([entry for entry in ann.shown if entry["kind"] == "message"]) < 36:
            await ann.poll(wait=LONG)

    async def ann_talks() -> None:
        # A second line, as a browser says something while its poll hangs.
        mouth = VisitorPoller([first.base_url, second.base_url], first.site_key)
        mouth.token, mouth.conversation = ann.token, ann.conversation
        for n in range(5):
            await mouth.say(f"a{n}", f"ref-ann-0000{n}")
        await mouth.close()

    async with asyncio.timeout(60):
        await asyncio.gather(omar_talks(), ann_listens(), ann_talks())
    texts = [entry["text"] for entry in ann.shown if entry["kind"] == "message"]
    assert sorted(texts) == sorted([*wanted, *(f"a{n}" for n in range(5))])
    assert [entry["seq"] for entry in ann.shown] == list(range(1, ann.cursor + 1))
    await ann.close()


async def test_an_operator_works_by_polls_and_is_present_between_them(pair: tuple[Running, Running]) -> None:
    first, second = pair
    person = await first.operator("Omar")
    browser = await first.signed_in(person)
    omar = OperatorPoller([first.base_url, second.base_url], browser.cookies)
    await omar.poll()
    assert omar.kinds[0] == "attended"

    async def is_present() -> bool:
        async with first.desk.db.read() as session:
            return await online_count(session, SystemClock().now()) == 1

    assert await is_present()  # nothing is open now
    hanging = asyncio.create_task(omar.poll(wait=LONG))
    ann = await second.visitor_who_said("Good evening")
    await hanging
    while "offered" not in omar.kinds:
        await omar.poll(wait=LONG)
    assert omar.only("offered")["conversation"] == ann.conversation
    # The offer that was told is no news: the next poll hangs.
    assert "offered" in [frame["type"] for frame in await omar.poll(wait=0)]
    omar.conversation = ann.conversation
    await omar.poll({"type": "say", "ref": "ref-00000001", "conversation": ann.conversation, "text": "Hello Ann"})
    await ann.until("said", lambda frame: frame["entries"][-1].get("text") == "Hello Ann")
    hanging = asyncio.create_task(omar.poll(wait=LONG))
    await ann.say("Thank you")
    await hanging
    while omar.shown[-1].get("text") != "Thank you":
        await omar.poll(wait=LONG)
    assert [entry["seq"] for entry in omar.shown] == list(range(1, omar.cursor + 1))
    assert await is_present()
    await browser.aclose()
    await omar.close()


async def test_a_client_that_leaves_frees_its_poll(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.begin("Good evening")
    await ann.poll()
    hanging = asyncio.create_task(ann.poll(wait=LONG))
    await until(lambda: bool(running.desk.visitor_sockets.by_conversation))
    hanging.cancel()
    await until(lambda: not running.desk.visitor_sockets.all)
    await ann.close()


async def test_a_poll_is_counted_as_answered_and_not_as_a_lost_connection(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.poll()
    closed = running.desk.heart.traffic.closed
    assert closed == {("visitor", "poll"): 1}
    hanging = asyncio.create_task(ann.poll(wait=LONG))
    await until(lambda: bool(running.desk.visitor_sockets.all))
    hanging.cancel()
    await until(lambda: closed["visitor", "1006"] == 1)
    ann.take(await ann.post(f"/w/{running.site_key}/poll", [{"type": "enroll"}]))
    assert closed == {("visitor", "poll"): 1, ("visitor", "1006"): 1, ("visitor", "4502"): 1}
    await ann.close()


async def test_a_server_that_leaves_answers_its_polls(running: Running) -> None:
    ann = VisitorPoller([running.base_url], running.site_key)
    await ann.begin("Good evening")
    await ann.poll()
    hanging = asyncio.create_task(ann.poll(wait=LONG))
    await until(lambda: bool(running.desk.visitor_sockets.by_conversation))
    async with asyncio.timeout(10):
        await running.desk.retire()
        await hanging
    # Who asks again must come to another server, so the line to this one ends.
    answer = await ann.ask()
    assert answer.headers["connection"] == "close"
    await ann.close()
