"""What browsers, proxies and strangers send before and between the frames: the same over both transports."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stub
from structlog.testing import capture_logs

from chat.db import DatabaseAway
from chat.hub.connection import OUTBOUND_BYTES
from chat.server import Server, config_of
from chat.sockets import visitors
from chat.sockets.visitors import VisitorSocket
from tests.support.buses import until
from tests.support.lines import PING, TEXT, frame, held, line
from tests.support.program import Running, program

HELLO = b'{"type":"hello","site":"any"}'


@pytest.fixture(params=["picows", "websockets"])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path, websockets=request.param) as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"Connection": "keep-alive, Upgrade"},  # Firefox
        {"Connection": "Upgrade, Keep-Alive"},
        {"Upgrade": "WebSocket"},
        {"Host": "desk.example\xa0"},
    ],
)
async def test_every_handshake_that_is_one_opens_a_socket(running: Running, headers: dict[str, str]) -> None:
    async with line(running) as ann:
        assert await ann.ask(running, **headers) == 101
        ann.send(TEXT, HELLO)
        assert b'"welcomed"' in await ann.heard()
    await until(lambda: held(running) == 0)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("GET", {"Sec-WebSocket-Key": "short"}),
        ("GET", {"Sec-WebSocket-Version": "8"}),
    ],
)
async def test_what_is_no_handshake_is_refused_and_holds_no_place(
    running: Running, method: str, headers: dict[str, str]
) -> None:
    async with line(running) as mallory:
        assert await mallory.ask(running, method, **headers) >= 400
    await until(lambda: held(running) == 0)


async def test_while_the_database_is_away_it_says_when_to_come_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_key: str) -> None:
        raise DatabaseAway

    monkeypatch.setattr(running.desk.catalogue, "site", away)
    async with line(running) as ann:
        assert await ann.ask(running) == 503
        assert b"retry-after: 5" in ann.answer.lower()
    await until(lambda: held(running) == 0)


async def test_who_is_at_the_door_is_waited_for_at_the_end(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = asyncio.Event(), asyncio.Event()
    site = running.desk.catalogue.site

    async def slow(key: str) -> Any:
        asked.set()
        await go.wait()
        return await site(key)

    monkeypatch.setattr(running.desk.catalogue, "site", slow)
    async with line(running) as ann:
        asking = asyncio.create_task(ann.ask(running))
        await asked.wait()
        server = Server(config_of(running.desk.starlette(), running.settings), lambda: None, None)
        server.server_state = running.server.server_state
        assert server._has_guests_at_the_door()
        go.set()
        assert await asking == 101
        assert not server._has_guests_at_the_door()


@pytest.fixture
async def picows(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path, websockets="picows") as running:
        yield running


def opened(running: Running) -> Any:
    """The only visitor's connection, as its server has it."""
    (visitor,) = running.desk.visitor_sockets.all
    ws = visitor._transport._ws  # type: ignore[attr-defined]
    return ws.underlying_transport


async def test_who_hangs_up_at_the_door_holds_no_place(picows: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def silent(_key: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(picows.desk.catalogue, "site", silent)
    async with line(picows) as ann:
        asking = asyncio.create_task(ann.ask(picows))
        await asked.wait()
        assert held(picows) == 1
        asking.cancel()
    await until(lambda: held(picows) == 0)
    await until(lambda: not picows.server.server_state.connections)


async def test_a_fault_of_ours_ends_its_own_line_is_logged_and_holds_no_place(
    picows: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_socket: object, _text: str) -> None:
        raise LookupError("ours")

    async with line(picows) as ann, line(picows) as ben:
        for one in (ann, ben):
            assert await one.ask(picows) == 101
            one.send(TEXT, HELLO)
            assert b'"welcomed"' in await one.heard()
        with monkeypatch.context() as now, capture_logs() as logs:
            now.setattr(VisitorSocket, "received", broken)
            ann.send(TEXT, b'{"type":"beat"}')
            assert await ann.close_code() == 1011
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["a socket failed"]
        await until(lambda: held(picows) == 1)
        ben.send(TEXT, b'{"type":"beat","ask":true}')
        assert await ben.heard() == b'{"type":"beat"}'


async def test_who_was_let_in_and_could_not_be_opened_holds_no_place(
    picows: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_parts: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(visitors, "VisitorSocket", broken)
    async with line(picows) as ann:
        with capture_logs() as logs:
            assert await ann.ask(picows) == 101
            assert await ann.is_over()
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["a socket could not be opened"]
    await until(lambda: held(picows) == 0)
    await until(lambda: not picows.server.server_state.connections)


async def test_a_client_that_asks_and_never_listens_fills_no_memory(picows: Running) -> None:
    async with line(picows, receive_bytes=4096) as mallory:
        assert await mallory.ask(picows) == 101
        mallory.send(TEXT, HELLO)
        assert b'"welcomed"' in await mallory.heard()
        mallory.writer.transport.pause_reading()  # type: ignore[attr-defined]
        transport = opened(picows)
        for _ in range(400):
            for _ in range(100):
                mallory.send(PING, b"x" * 125)
            mallory.send(TEXT, b'{"type":"beat"}')
            await mallory.writer.drain()
            assert transport.get_write_buffer_size() <= OUTBOUND_BYTES


@pytest.mark.parametrize("piece", [(0x01, b""), (0x00, b""), (PING, b""), (0x8A, b"")])
async def test_frames_without_end_that_say_nothing_are_not_listened_to(
    picows: Running, piece: tuple[int, bytes]
) -> None:
    async with line(picows) as mallory:
        assert await mallory.ask(picows) == 101
        mallory.send(0x01, b"")
        mallory.writer.write(frame(*piece) * 5000)
        try:
            while (payload := await mallory.heard()) == b"":
                pass
        except ConnectionError:
            return  # the rest of the flood was on its way when the server hung up
        assert int.from_bytes(payload[:2]) in (1002, 1008)


async def test_a_text_in_many_small_pieces_is_put_together(picows: Running) -> None:
    async with line(picows) as ann:
        assert await ann.ask(picows) == 101
        whole = HELLO + b" " * 40_000
        for start in range(0, len(whole), 64):
            ann.send(0x01 if start == 0 else 0x00, whole[start : start + 64])
        ann.send(0x80)
        assert b'"welcomed"' in await ann.heard()


async def test_much_that_comes_at_once_leaves_no_large_buffer_behind(picows: Running) -> None:
    async with line(picows) as ann:
        assert await ann.ask(picows) == 101
        ann.send(TEXT, HELLO)
        assert b'"welcomed"' in await ann.heard()
        long = b'{"type":"say","text":"' + b"x" * 50_000 + b'"}'
        ann.writer.write(frame(TEXT, long) * 200)
        for _ in range(200):
            assert b'"refused"' in await ann.heard()
        protocol = opened(picows).get_protocol()
        # What a read is cut to does not count: the whole buffer does.
        assert len(WSProtocol.get_buffer(protocol, -1)) <= 128 * 1024


async def test_long_texts_wait_where_they_come_from(picows: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    go = asyncio.Event()
    staff = picows.desk.staff.now

    async def slow() -> Any:
        await go.wait()
        return await staff()

    monkeypatch.setattr(picows.desk.staff, "now", slow)
    async with line(picows) as ann:
        assert await ann.ask(picows) == 101
        long = b'{"type":"say","text":"' + b"x" * 50_000 + b'"}'
        ann.writer.write(frame(TEXT, HELLO) + frame(TEXT, long) * 50)
        (visitor,) = picows.desk.visitor_sockets.all
        await until(lambda: visitor._inbox is not None)
        await until(lambda: not visitor._transport._is_reading)  # type: ignore[attr-defined]
        assert sum(map(len, visitor._inbox or ())) <= 2 * len(long)
        go.set()
        assert b'"welcomed"' in await ann.heard()
        for _ in range(50):
            assert b'"refused"' in await ann.heard()
