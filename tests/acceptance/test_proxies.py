"""Two servers behind nginx and behind Caddy, with the files that the README shows, over TLS: people talk as without."""

import asyncio
import contextlib
import json
import logging
import signal
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import websockets
from websockets.asyncio.client import connect

from chat.sockets import heart
from tests.support.certificates import certificate
from tests.support.databases import PostgresMaker
from tests.support.program import Running, program
from tests.support.proxies import Caddy, Nginx, Proxy
from tests.support.servers import RedisServer, free_port
from tests.support.serving import Desk, Process
from tests.support.steady import percentile, rolling_restart, steady
from tests.support.views import View, begin, check

ANN, MALLORY = "127.0.0.2", "127.0.0.3"
log = logging.getLogger(__name__)
PAIRS = 3
ROUNDS = 3
PAUSE_SECONDS = 6.0
"""The promise is 2 s; here servers, clients and whatever else runs share two cores."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def nginx(made: tuple[Path, Path]) -> Iterator[Nginx]:
    proxy = Nginx(certificate=made, changes={"worker_shutdown_timeout 10m;": "worker_shutdown_timeout 1s;"})
    yield proxy
    proxy.remove()


@pytest.fixture(scope="module")
def desk(postgres_maker: PostgresMaker, redis_server: RedisServer, nginx: Nginx) -> Iterator[Desk]:
    """Two servers; nginx and Caddy stand for the same public address."""
    trust = {"NIGHTDESK_TRUSTED_PROXIES": "127.0.0.0/8"}
    desk = Desk(postgres_maker.make(), redis_server.url, nginx.base_url, **trust)
    try:
        desk.prepare()
        for _ in range(2):
            desk.serve()
        nginx.configure([server.port for server in desk.processes])
        nginx.start()
        yield desk
    finally:
        desk.remove()


@pytest.fixture(scope="module")
def caddy(desk: Desk) -> Iterator[Caddy]:
    proxy = Caddy()
    try:
        proxy.configure([server.port for server in desk.processes])
        proxy.start()
        yield proxy
    finally:
        proxy.remove()


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, desk: Desk) -> Proxy:
    found: Proxy = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def trust(proxy: Proxy, made: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=proxy.authority if isinstance(proxy, Caddy) else made[0])


async def test_people_talk_over_tls(desk: Desk, proxy: Proxy, trust: ssl.SSLContext) -> None:
    link = await asyncio.to_thread(desk.sign_in_link, f"Omar at {proxy.name}")
    ann = View(desk.base_url, [proxy.base_url], trust=trust)
    omar = View(desk.base_url, [proxy.base_url], trust=trust, link=link)
    living = [asyncio.create_task(view.live()) for view in (ann, omar)]
    try:
        await omar.until(lambda: omar.attended, "Omar attends")
        await begin(ann, [omar], "hello")
        await omar.say("good evening")
        await ann.until(lambda: ann.texts() == ["hello", "good evening"], "the answer")
        await ann.send("end", ref="ref-00000001", conversation=ann.conversation)
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        if omar.browser is not None:
            await omar.browser.aclose()


async def test_the_doctor_finds_the_way_through_it_good(desk: Desk, nginx: Nginx, made: tuple[Path, Path]) -> None:
    trusted = {"SSL_CERT_FILE": str(made[0]), "NIGHTDESK_LISTEN": f"127.0.0.1:{desk.processes[0].port}"}
    found = await asyncio.to_thread(partial(desk.findings, **trusted))
    assert [one for one in found if not one["ok"] and one["name"] != "operators"] == []
    assert {"server", "upgrade"} <= {one["name"] for one in found}


async def poll(
    desk: Desk, proxy: Proxy, trust: ssl.SSLContext, wait: int, *frames: dict[str, Any]
) -> list[dict[str, Any]]:
    """What a browser does to which no WebSocket passes."""
    body = "\n".join(json.dumps(frame) for frame in frames)
    async with httpx2.AsyncClient(verify=trust, timeout=30, headers={"Origin": desk.base_url}) as http:
        answer = await http.post(f"{proxy.base_url}/w/polaris/poll?wait={wait}", content=body)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def poll_until_told(
    desk: Desk, proxy: Proxy, trust: ssl.SSLContext, introduction: dict[str, Any]
) -> list[dict[str, Any]]:
    """What was said after the cursor. Other news, as of who is present, end a poll too, and the browser polls again."""
    async with asyncio.timeout(60):
        while True:
            frames = await poll(desk, proxy, trust, 20, introduction)
            entries = [entry for frame in frames for entry in frame.get("entries", [])]
            if fresh := [entry for entry in entries if entry["seq"] > introduction["last_seen"]]:
                return fresh


async def test_a_long_poll_passes_with_each_request_at_any_server(
    desk: Desk, proxy: Proxy, trust: ssl.SSLContext
) -> None:
    first = await poll(desk, proxy, trust, 0, {"type": "hello", "site": "polaris"}, {"type": "enroll"})
    token = next(frame["token"] for frame in first if frame["type"] == "enrolled")
    hello = {"type": "hello", "site": "polaris", "token": token}
    begun = {"type": "start", "ref": f"ref-{proxy.name}-00000001", "text": "hello"}
    frames = await poll(desk, proxy, trust, 0, hello, begun)
    conversation = next(frame["conversation"]["id"] for frame in frames if frame["type"] == "started")
    seen = max(entry["seq"] for frame in frames for entry in frame.get("entries", []))

    resumed = hello | {"conversation": conversation, "last_seen": seen}
    waiting = asyncio.create_task(poll_until_told(desk, proxy, trust, resumed))
    said = {"type": "say", "ref": f"ref-{proxy.name}-00000002", "conversation": conversation, "text": "are you there?"}
    try:
        await poll(desk, proxy, trust, 0, resumed, said)
        assert [entry["text"] for entry in await waiting] == ["are you there?"]
    finally:
        await poll(desk, proxy, trust, 0, resumed, {"type": "end", "conversation": conversation})


async def knock(stack: contextlib.AsyncExitStack, desk: Desk, proxy: Proxy, trust: ssl.SSLContext, **more: Any) -> int:
    """101 for a socket, which is held until the stack ends; else how it was refused."""
    scheme = proxy.base_url.replace("http", "ws", 1)
    try:
        await stack.enter_async_context(
            connect(
                f"{scheme}/w/polaris/socket",
                origin=websockets.Origin(desk.base_url),
                ssl=trust if scheme.startswith("wss") else None,
                host="127.0.0.1",
                open_timeout=20,
                **more,
            )
        )
    except websockets.InvalidStatus as refused:
        log.warning("refused: %d %r", refused.response.status_code, refused.response.body)
        return refused.response.status_code
    return 101


async def test_each_visitor_counts_by_an_address_that_nobody_can_make_up(
    desk: Desk, proxy: Proxy, trust: ssl.SSLContext
) -> None:
    strict = await asyncio.to_thread(desk.serve, NIGHTDESK_ATTEMPTS_PER_MINUTE="3")
    proxy.configure([strict.port])
    await asyncio.to_thread(proxy.stop)
    await asyncio.to_thread(proxy.start)
    try:
        async with contextlib.AsyncExitStack() as stack:
            mallory = {"local_addr": (MALLORY, 0)}
            for _ in range(3):
                assert await knock(stack, desk, proxy, trust, **mallory) == 101
            claim = {"X-Forwarded-For": "198.51.100.7"}
            assert await knock(stack, desk, proxy, trust, **mallory, additional_headers=claim) == 429
            assert await knock(stack, desk, proxy, trust, local_addr=(ANN, 0)) == 101
    finally:
        await asyncio.to_thread(strict.end, signal.SIGTERM)
        proxy.configure([server.port for server in desk.processes[:2]])
        await asyncio.to_thread(proxy.stop)
        await asyncio.to_thread(proxy.start)


async def test_a_server_that_is_gone_is_no_error_to_anybody(desk: Desk, proxy: Proxy, trust: ssl.SSLContext) -> None:
    proxy.configure([free_port(), desk.processes[0].port])
    await asyncio.to_thread(proxy.stop)
    await asyncio.to_thread(proxy.start)
    try:
        async with contextlib.AsyncExitStack() as stack, httpx2.AsyncClient(verify=trust) as http:
            for _ in range(12):
                assert await knock(stack, desk, proxy, trust) == 101
                assert (await http.get(f"{proxy.base_url}/healthz")).status_code == 200
                answer = await http.post(f"{proxy.base_url}/console/socket-pass")
                assert answer.status_code < 500
    finally:
        proxy.configure([server.port for server in desk.processes[:2]])
        await asyncio.to_thread(proxy.stop)
        await asyncio.to_thread(proxy.start)


async def test_one_address_holds_so_many_connections_at_nginx(desk: Desk, made: tuple[Path, Path]) -> None:
    proxy = Nginx(changes={"limit_conn addresses 200;": "limit_conn addresses 2;"})
    trust = ssl.create_default_context()
    proxy.configure([desk.processes[0].port])
    try:
        await asyncio.to_thread(proxy.start)
        async with contextlib.AsyncExitStack() as stack:
            for expected in (101, 101, 429):
                assert await knock(stack, desk, proxy, trust, local_addr=(MALLORY, 0)) == expected
            assert await knock(stack, desk, proxy, trust, local_addr=(ANN, 0)) == 101
    finally:
        await asyncio.to_thread(proxy.remove)


async def test_plain_http_goes_to_https_of_the_name_that_is_ours(desk: Desk, nginx: Nginx) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{nginx.plain_port}/contact?a=b", headers={"Host": "evil.example"})
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://chat.example.com/contact?a=b"


async def test_reloads_of_nginx_and_rolling_restarts_lose_nothing_and_show_no_error(
    desk: Desk, nginx: Nginx, made: tuple[Path, Path]
) -> None:
    trust = ssl.create_default_context(cafile=made[0])
    links = [await asyncio.to_thread(desk.sign_in_link, f"Operator {n}", "--capacity", "1") for n in range(PAIRS)]
    errors: list[object] = []
    async with steady(desk.base_url, [nginx.base_url], links, trust) as people:
        coming = asyncio.create_task(newcomers(desk, nginx, trust, errors))
        for _ in range(2):
            before = [view.socket for view in people.views]
            nginx.reload()
            # The old worker ends after a second; every view is on the new one then.
            for view, old in zip(people.views, before, strict=True):
                await view.until(lambda view=view, old=old: view.socket not in (None, old), "back")  # type: ignore[misc]
        restarts = [partial(restart, server) for server in desk.processes[:2]] * ROUNDS
        pauses = await rolling_restart(people, restarts)
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    assert errors == []
    p50, p95 = percentile(pauses, 0.5), percentile(pauses, 0.95)
    print(f"longest wait of each view in each restart: p50 {p50:.2f} s, p95 {p95:.2f} s")
    assert p95 < PAUSE_SECONDS
    with psycopg.connect(desk.environment()["NIGHTDESK_DATABASE_URL"]) as connection:
        for ann in people.visitors:
            rows = connection.execute(
                "SELECT seq, text FROM message WHERE conversation_id = %s AND stream = 'public' ORDER BY seq",
                (ann.conversation,),
            ).fetchall()
            stored = [(int(seq), str(text)) for seq, text in rows]
            check(ann, people.answering(ann), stored, people.said[ann.conversation])


async def newcomers(desk: Desk, nginx: Nginx, trust: ssl.SSLContext, errors: list[object]) -> None:
    """One visitor after the other looks in: nobody may be told of a restart."""
    async with httpx2.AsyncClient(verify=trust, timeout=20) as http:
        while True:
            async with contextlib.AsyncExitStack() as stack:
                answer = await http.get(f"{nginx.base_url}/healthz")
                if answer.status_code != 200:
                    errors.append(answer)
                if (status := await knock(stack, desk, nginx, trust)) != 101:
                    errors.append(status)


def restart(server: Process) -> None:
    server.end(signal.SIGTERM)
    server.start()


async def through(nginx: Nginx, running: Running, beats: int) -> int:
    """How many heartbeats an idle visitor heard, of so many, before nginx cut the line."""
    address = f"{nginx.base_url.replace('http', 'ws', 1)}/w/{running.site_key}/socket"
    heard = 0
    async with connect(address, origin=websockets.Origin(running.base_url), ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "hello", "site": running.site_key}))
        with contextlib.suppress(websockets.ConnectionClosed):
            while heard < beats:
                if json.loads(await socket.recv())["type"] == "beat":
                    heard += 1
                    await socket.send('{"type":"beat"}')
    return heard


async def test_an_idle_line_is_kept_by_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nginx cuts what is silent for 75 s, three times as long as Nightdesk is at most (20 s, and 5 s for the answer).
    Here all of it is forty times as fast."""
    nginx = Nginx(changes={"proxy_read_timeout 75s;": "proxy_read_timeout 1875ms;"})
    assert heart.BEAT_SECONDS + heart.ANSWER_SECONDS <= 25
    try:
        monkeypatch.setattr(heart, "TICK_SECONDS", 1 / 40)
        async with program(tmp_path) as running:
            nginx.configure([running.settings.listen_port])
            await asyncio.to_thread(nginx.start)
            assert await through(nginx, running, beats=6) == 6
            monkeypatch.setattr(heart, "TICK_SECONDS", 60)
            assert await through(nginx, running, beats=6) == 0
    finally:
        await asyncio.to_thread(nginx.remove)
