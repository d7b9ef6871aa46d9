"""`nightdesk serve --processes 3`: one port, one parent, and whatever happens to a child the conversation goes on."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psycopg
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.support.databases import PostgresMaker
from tests.support.servers import RedisServer, free_port
from tests.support.serving import Desk, Process
from tests.support.steady import Steady, steady
from tests.support.views import check

COUNT = 3
WITHIN = 120.0


@pytest.fixture(scope="module")
def desk(postgres_maker: PostgresMaker, redis_server: RedisServer) -> Iterator[Desk]:
    desk = Desk(postgres_maker.make(), redis_server.url)
    try:
        desk.prepare()
        yield desk
    finally:
        desk.remove()


@pytest.fixture(scope="module")
def lasting(desk: Desk) -> Process:
    """For all tests that leave it as it was."""
    return desk.serve_many(COUNT)


@pytest.fixture
def ending(desk: Desk) -> Process:
    return desk.serve_many(2)


@asynccontextmanager
async def talking(desk: Desk, many: Process) -> AsyncIterator[Steady]:
    """Three pairs; in the end every word is in the database and on both screens, once and in order."""
    links = [await asyncio.to_thread(desk.sign_in_link, f"Operator {number}", "--capacity", "1") for number in range(3)]
    async with steady(desk.base_url, [many.base_url], links) as people:
        yield people
    with psycopg.connect(desk.environment()["NIGHTDESK_DATABASE_URL"]) as connection:
        for ann in people.visitors:
            rows = connection.execute(
                "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
                (ann.conversation,),
            ).fetchall()
            stored = [(int(seq), str(text)) for seq, text in rows]
            check(ann, people.answering(ann), stored, people.said[ann.conversation])


async def until(holds: Callable[[], bool]) -> None:
    """Looks again and again: processes of others offer no event to wait for."""

    def look() -> None:
        end = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.05)

    await asyncio.to_thread(look)


def place_of(pid: int) -> int:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return int(arguments[arguments.index(b"--place") + 1]) if b"--place" in arguments else -1


def lines(many: Process) -> list[dict[str, object]]:
    found = []
    for line in many.log.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def clients_of(pid: int, port: int) -> int:
    """How many connections a process holds on the port."""
    mine = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            mine.add(str(one.readlink()))
    count = 0
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        part = row.split()
        is_ours = part[1].endswith(f":{port:04X}") and part[3] == "01"
        count += is_ours and f"socket:[{part[9]}]" in mine
    return count


async def test_all_share_the_clients_and_say_which_they_are(desk: Desk, lasting: Process) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(60):
            await stack.enter_async_context(visitor(desk, lasting))
        held = [clients_of(pid, lasting.port) for pid in lasting.children]
    assert len(held) == COUNT
    assert sum(held) == 60
    assert min(held) >= 5
    assert {line["process"] for line in lines(lasting) if "process" in line} == set(range(COUNT))


async def test_children_killed_and_a_rolling_restart_lose_nothing_and_refuse_nobody(
    desk: Desk, lasting: Process
) -> None:
    refused: list[object] = []

    async def newcomers() -> None:
        while True:
            try:
                async with visitor(desk, lasting):
                    await asyncio.sleep(0.02)
            except websockets.InvalidStatus as error:
                refused.append((error.response.status_code, error.response.body))
            except (OSError, websockets.WebSocketException) as error:
                refused.append(error)

    async with talking(desk, lasting) as people:
        for _ in range(2):
            before = lasting.children
            os.kill(max(before, key=lambda pid: clients_of(pid, lasting.port)), signal.SIGKILL)
            await until(lambda: len(lasting.children - before) == 1)  # noqa: B023 — done within the turn
            await until(lambda: len(lasting.children) == COUNT)
        assert [line["code"] for line in lines(lasting) if line.get("event") == "a server process ended"] == [-9, -9]

        before = lasting.children
        coming = asyncio.create_task(newcomers())
        lasting.send(signal.SIGHUP)
        await until(lambda: any(line.get("event") == "the rolling restart ended" for line in lines(lasting)))
        assert len(lasting.children) == COUNT
        assert not lasting.children & before
        assert people.views[0].retirements + people.views[1].retirements > 0
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    assert not refused


async def test_it_ends_with_all_its_children_in_good_order(desk: Desk, ending: Process) -> None:
    children = ending.children
    async with visitor(desk, ending) as ann:
        ending.send(signal.SIGTERM)
        await retired(ann)
    assert await asyncio.to_thread(ending.wait) == 0
    assert not any(is_alive(pid) for pid in children)


async def test_told_twice_it_ends_at_once_with_a_word_to_everybody(desk: Desk, ending: Process) -> None:
    children = ending.children
    async with visitor(desk, ending) as ann:
        ending.send(signal.SIGTERM)
        await retired(ann)
        ending.send(signal.SIGTERM)
        assert await asyncio.to_thread(ending.wait) == 0
        await ann.wait_closed()
        assert ann.close_code == 4000
    assert not any(is_alive(pid) for pid in children)


async def test_a_successor_that_dies_while_its_predecessor_drains_leaves_nobody_waiting(
    desk: Desk, ending: Process
) -> None:
    """The predecessor hangs while it drains, so that it would hold the place for as long as it may."""
    before = {place_of(pid): pid for pid in ending.children}
    async with contextlib.AsyncExitStack() as stack:
        try:
            guests = [await stack.enter_async_context(visitor(desk, ending)) for _ in range(20)]
            ending.send(signal.SIGHUP)
            told = [asyncio.create_task(retired(guest)) for guest in guests]
            await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
            os.kill(before[0], signal.SIGSTOP)
            (successor,) = ending.children - set(before.values())
            os.kill(successor, signal.SIGKILL)
            await until(lambda: any(line.get("event") == "a server process ended" for line in lines(ending)))
            for _ in range(20):
                async with asyncio.timeout(20), visitor(desk, ending):
                    pass
            assert is_alive(before[0])
        finally:
            os.kill(before[0], signal.SIGKILL)
            for task in told:
                task.cancel()
            await asyncio.gather(*told, return_exceptions=True)


async def test_figures_are_found_at_the_same_ports_after_a_rolling_restart(desk: Desk) -> None:
    port = free_port()
    many = await asyncio.to_thread(desk.serve_many, 2, NIGHTDESK_METRICS_LISTEN=f"127.0.0.1:{port}")
    ports = {line["port"] for line in lines(many) if line.get("event") == "metrics answered"}
    before = many.children
    many.send(signal.SIGHUP)
    await until(lambda: any(line.get("event") == "the rolling restart ended" for line in lines(many)))
    assert not many.children & before
    answered = [line["port"] for line in lines(many) if line.get("event") == "metrics answered"]
    assert len(ports) == 2
    assert answered[2:] == answered[:2]
    async with httpx2.AsyncClient() as http:
        for one in ports:
            assert "nightdesk_build_info" in (await http.get(f"http://127.0.0.1:{one}/metrics")).text
    many.send(signal.SIGTERM)
    assert await asyncio.to_thread(many.wait) == 0


async def test_who_drains_leaves_its_figures_to_its_successor(desk: Desk) -> None:
    """Two that answer in turn would look like counters that fall and leap, and raise alarms."""
    many = await asyncio.to_thread(desk.serve_many, 2, NIGHTDESK_METRICS_LISTEN=f"127.0.0.1:{free_port()}")
    (port,) = (
        line["port"] for line in lines(many) if (line.get("event"), line.get("process")) == ("metrics answered", 0)
    )
    async with contextlib.AsyncExitStack() as stack, httpx2.AsyncClient(timeout=30) as http:
        guests = [await stack.enter_async_context(visitor(desk, many)) for _ in range(20)]
        many.send(signal.SIGHUP)
        told = [asyncio.create_task(retired(guest)) for guest in guests]
        await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(20):
            answer = await http.get(f"http://127.0.0.1:{port}/metrics")
            assert 'nightdesk_connections{role="visitor"} 0.0' in answer.text
        for task in told:
            task.cancel()
        await asyncio.gather(*told, return_exceptions=True)
    many.send(signal.SIGTERM)
    assert await asyncio.to_thread(many.wait) == 0


async def test_who_is_sent_away_past_the_parent_is_followed_at_once(desk: Desk, ending: Process) -> None:
    """It still has clients when another serves in its place."""
    before = {place_of(pid): pid for pid in ending.children}
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(visitor(desk, ending))
        try:
            os.kill(before[0], signal.SIGTERM)
            await until(lambda: any(line.get("event") == "a server process leaves unasked" for line in lines(ending)))
            os.kill(before[0], signal.SIGSTOP)
            await until(lambda: sum(place_of(pid) == 0 for pid in ending.children) == 2)
        finally:
            os.kill(before[0], signal.SIGKILL)


async def test_children_leave_when_their_parent_was_killed(ending: Process) -> None:
    children = ending.children
    ending.send(signal.SIGKILL)
    await asyncio.to_thread(ending.wait)
    await until(lambda: not any(is_alive(pid) for pid in children))


@asynccontextmanager
async def visitor(desk: Desk, many: Process) -> AsyncIterator[ClientConnection]:
    address = many.base_url.replace("http", "ws", 1) + "/w/polaris/socket"
    async with connect(address, origin=websockets.Origin(desk.base_url), open_timeout=20) as socket:
        await socket.send('{"type":"hello","site":"polaris"}')
        assert json.loads(await socket.recv())["type"] == "welcomed"
        yield socket


async def retired(socket: ClientConnection) -> None:
    async for text in socket:
        if json.loads(text)["type"] == "retired":
            return
    raise AssertionError("closed without a word")


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_what_is_wrong_at_the_first_start_is_said_once(
    postgres_maker: PostgresMaker, redis_server: RedisServer
) -> None:
    desk = Desk(postgres_maker.make(empty=True), redis_server.url)
    try:
        with pytest.raises(RuntimeError, match="nightdesk migrate") as failed:
            desk.command("serve", "--processes", "3")
        assert str(failed.value).count("nightdesk migrate") == 1
    finally:
        desk.remove()


async def test_a_worker_ends_in_good_order(desk: Desk) -> None:
    worker = await asyncio.to_thread(desk.work)
    await until(lambda: any(line.get("event") == "the bus is up" for line in lines(worker)))
    worker.send(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait) == 0
