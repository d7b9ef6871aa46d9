"""What a client sees is the same whichever transport carries it: openings, frames, limits, ends."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from chat import head_guard
from chat.hub.connection import OUTBOUND_BYTES
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.ids import new_id
from chat.sockets import elsewhere
from chat.sockets.heart import ANSWER_SECONDS, BEAT_SECONDS, HELLO_SECONDS
from tests.support.buses import until
from tests.support.databases import PostgresMaker
from tests.support.lines import BEGINS, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Line, held, line
from tests.support.program import Running, program

LIMIT = 65_536
ASK = {"type": "beat", "ask": True}


@pytest.fixture(params=["picows", "websockets"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def running(tmp_path: Path, transport: str) -> AsyncIterator[Running]:
    async with program(tmp_path, websockets=transport) as running:
        yield running


@pytest.fixture
async def ann(running: Running) -> AsyncIterator[Line]:
    """Greeted."""
    async with line(running) as ann:
        assert await ann.ask(running) == 101
        ann.send(TEXT, hello(running))
        assert json.loads(await ann.heard())["type"] == "welcomed"
        yield ann


def hello(running: Running) -> bytes:
    return text(type="hello", site=running.site_key)


def text(**frame: Any) -> bytes:
    return json.dumps(frame).encode()


def padded(size: int) -> bytes:
    """A frame of just so many bytes: fields that nobody knows are left alone."""
    empty = text(**ASK, x="")
    return text(**ASK, x="y" * (size - len(empty)))


async def test_frames_are_answered_in_the_order_in_which_they_came(ann: Line) -> None:
    refs = [f"ref-{n:08}" for n in range(9)]
    for ref in refs:
        ann.send(TEXT, text(type="say", ref=ref, conversation=str(new_id()), text="to nobody"))
        ann.send(TEXT, text(**ASK))
    heard = [json.loads(await ann.heard()) for _ in range(2 * len(refs))]
    # Who asks whether anybody is there does not wait for what is under way.
    assert [frame["ref"] for frame in heard if frame["type"] == "refused"] == refs
    assert [frame["type"] for frame in heard].count("beat") == len(refs)


async def test_a_text_in_fragments_with_a_ping_between_is_one_text(ann: Line) -> None:
    whole = text(**ASK)
    ann.send(BEGINS, whole[:5])
    ann.send(PING, b"are you there")
    ann.send(0, whole[5:9])
    ann.send(CONTINUATION, whole[9:])
    assert await ann.frame() == (PONG, b"are you there")
    assert json.loads(await ann.heard()) == {"type": "beat"}


async def test_a_ping_is_answered_with_what_it_carried(ann: Line) -> None:
    for payload in (b"", b"x" * 125):
        ann.send(PING, payload)
        assert await ann.frame() == (PONG, payload)


async def test_the_largest_text_is_heard_and_one_byte_more_is_not(ann: Line, running: Running) -> None:
    ann.send(TEXT, padded(LIMIT))
    assert json.loads(await ann.heard()) == {"type": "beat"}
    ann.send(TEXT, padded(LIMIT + 1))
    assert await ann.close_code() == 1009
    assert await ann.is_over()
    await until(lambda: held(running) == 0)


async def test_fragments_count_together(ann: Line) -> None:
    whole = padded(LIMIT + 1)
    ann.send(BEGINS, whole[:30_000])
    ann.send(0, whole[30_000:60_000])
    ann.send(CONTINUATION, whole[60_000:])
    assert await ann.close_code() == 1009


async def test_binary_is_malformed_and_so_is_what_is_no_json(running: Running) -> None:
    for first, payload in ((BINARY, hello(running)), (TEXT, b"hello")):
        async with line(running) as ann:
            await ann.ask(running)
            ann.send(first, payload)
            assert await ann.close_code() == 4501


async def test_bytes_that_are_no_text_end_the_line(ann: Line) -> None:
    ann.send(TEXT, b'{"type":"beat","x":"\xff"}')
    assert await ann.close_code() == 1007


async def test_who_says_goodbye_is_answered_and_holds_no_place(ann: Line, running: Running) -> None:
    assert held(running) == 1
    ann.send(CLOSE, struct.pack(">H", 1000) + b"bye")
    assert await ann.close_code() == 1000
    assert await ann.is_over()
    await until(lambda: held(running) == 0)


async def test_who_stops_sending_without_a_word_is_gone(ann: Line, running: Running) -> None:
    ann.writer.write_eof()
    assert await ann.is_over()
    await until(lambda: held(running) == 0)


async def test_who_is_reset_is_gone(ann: Line, running: Running) -> None:
    made = ann.writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ann.writer.transport.abort()
    await until(lambda: held(running) == 0)
    await until(lambda: not running.desk.visitor_sockets.all)


async def test_a_slow_reader_costs_little_and_is_closed_and_the_others_hear(running: Running) -> None:
    async with line(running, receive_bytes=4096) as slow, line(running) as quick:
        for ann in (slow, quick):
            await ann.ask(running)
            ann.send(TEXT, hello(running))
            await ann.heard()
        connections = [socket.connection for socket in running.desk.visitor_sockets.all]
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        said = text(type="typed", x="z" * 8000).decode()
        pushed = 0
        async with asyncio.timeout(30):
            while not any(connection.closing for connection in connections):
                for connection in connections:
                    connection.push(said)
                    assert connection._held_bytes <= OUTBOUND_BYTES
                pushed += 1
                await quick.heard()
        (closed,) = [connection for connection in connections if connection.closing]
        assert closed.closing is not None
        assert closed.closing.code == 4008
        assert closed._held_bytes == 0
        # What the kernel took is not ours to count.
        assert pushed * len(said) >= OUTBOUND_BYTES
        await until(lambda: closed.closed)
        await until(lambda: held(running) == 1)
        quick.send(TEXT, text(**ASK))
        assert json.loads(await quick.heard()) == {"type": "beat"}


async def test_who_does_not_introduce_themselves_is_not_waited_for(running: Running) -> None:
    async with line(running) as ann:
        await ann.ask(running)
        for _ in range(HELLO_SECONDS + 1):
            running.desk.heart.tick()
        assert await ann.close_code() == 4001


async def test_who_does_not_answer_the_heart_is_gone_and_who_does_is_not(ann: Line, running: Running) -> None:
    async def asked() -> None:
        for _ in range(BEAT_SECONDS):
            running.desk.heart.tick()
        assert json.loads(await ann.heard()) == {"type": "beat"}

    await asked()
    ann.send(TEXT, text(type="beat"))
    ann.send(TEXT, text(**ASK))
    await ann.heard()
    await asked()
    for _ in range(ANSWER_SECONDS + 1):
        running.desk.heart.tick()
    assert await ann.close_code() == 4001


async def test_the_limit_on_heads_ends_with_the_handshake(
    tmp_path: Path, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_guard, "HEAD_SECONDS", 0.3)
    async with program(tmp_path, websockets=transport) as running:
        async with line(running) as half:
            half.writer.write(b"GET /w/polaris/socket HTTP/1.1\r\nUpgrade: websocket\r\n")
            assert await half.is_over()
        async with line(running) as ann:
            await ann.ask(running)
            await asyncio.sleep(0.5)  # time itself is the subject
            ann.send(TEXT, hello(running))
            assert json.loads(await ann.heard())["type"] == "welcomed"


async def test_who_is_not_let_in_is_told_why(tmp_path: Path, transport: str) -> None:
    async with program(tmp_path, websockets=transport, sockets_per_address=1) as running:

        async def asked(**more: str) -> int:
            async with line(running) as ann:
                return await ann.ask(running, **more)

        assert await asked(Origin="https://evil.example") == 403
        assert await asked(path="/w/nobody/socket") == 403
        assert await asked(path="/w/a/b/socket") in (403, 404)
        assert await asked(path="/console/socket", Origin="https://evil.example") == 403
        async with line(running) as first, line(running) as second:
            assert await first.ask(running) == 101
            assert await second.ask(running) == 429
            retry = [one for one in second.answer.lower().split(b"\r\n") if one.startswith(b"retry-after: ")]
            assert int(retry[0].split(b": ")[1]) >= 1


async def test_behind_a_trusted_proxy_the_address_it_names_counts(tmp_path: Path, transport: str) -> None:
    async with (
        program(tmp_path, websockets=transport, sockets_per_address=1, trusted_proxies="127.0.0.0/8") as running,
        AsyncExitStack() as open_lines,
    ):

        async def asked(forwarded: str) -> int:
            ann = await open_lines.enter_async_context(line(running))
            return await ann.ask(running, X_Forwarded_For=forwarded)

        assert await asked("192.0.2.1") == 101
        assert await asked("192.0.2.2") == 101
        assert await asked("192.0.2.1") == 429
        assert await asked("198.51.100.7, 192.0.2.2") == 429  # what a client wrote there itself is not believed


async def test_a_server_that_leaves_asks_first_and_closes_then(
    tmp_path: Path, transport: str, postgres_maker: PostgresMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "LEAVE_SECONDS", 0.3)
    bus = MemoryBus(MemoryBroker(), "a key for tests")
    others: dict[str, Any] = {"websockets": transport, "redis_url": "redis://127.0.0.1:1/0"}
    async with program(tmp_path, postgres_maker.make(), bus, **others) as running, line(running) as ann:
        await ann.ask(running)
        ann.send(TEXT, hello(running))
        await ann.heard()
        leaving = asyncio.create_task(running.desk.retire())
        assert json.loads(await ann.heard())["type"] == "retired"
        assert await ann.close_code() == 4000
        await leaving


async def test_a_server_that_ends_says_so(tmp_path: Path, transport: str) -> None:
    async with AsyncExitStack() as ends, AsyncExitStack() as lines:
        running = await ends.enter_async_context(program(tmp_path, websockets=transport))
        ann = await lines.enter_async_context(line(running))
        await ann.ask(running)
        ann.send(TEXT, hello(running))
        await ann.heard()
        ending = asyncio.create_task(ends.aclose())
        assert await ann.close_code() == 1012
        assert await ann.is_over()
        await ending
