"""A server is told to end: once, and its clients may take their time; twice, and nobody is waited for but the disk."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.steps import ROOT

SERVER = """
import asyncio, contextlib, sys
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from chat.listening import listening_socket
from chat.server import serve
from chat.settings import load_settings

def say(word):
    print(word, flush=True)

async def for_ever(*_):
    await asyncio.Event().wait()

async def held(request):
    say("asked")
    await for_ever()
    return PlainTextResponse("never")

async def talk(socket):
    await socket.accept()
    await for_ever()

async def retire():
    say("retiring")
    if "stays" in sys.argv:
        await for_ever()

@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    await asyncio.sleep(0)
    say("stored")

app = Starlette(routes=[Route("/held", held), WebSocketRoute("/talk", talk)], lifespan=lifespan)
sock = listening_socket("127.0.0.1", 0)
settings = load_settings({}, websockets="websockets", base_url="http://localhost")
serve(app, settings, sock, lambda: say(sock.getsockname()[1]), retire)
"""


@contextmanager
def server(*words: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    command = [sys.executable, "-c", SERVER, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(heard(process))
        finally:
            process.kill()


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_as_asked_ends_with_0(number: signal.Signals) -> None:
    with server() as (process, _):
        process.send_signal(number)
        assert [heard(process), heard(process)] == ["retiring", "stored"]
        assert process.wait(30) == 0


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_told_twice_it_does_not_wait_for_clients_and_stores_what_it_has(
    first: signal.Signals, second: signal.Signals
) -> None:
    with server("stays") as (process, _):
        process.send_signal(first)
        assert heard(process) == "retiring"
        process.send_signal(second)
        assert heard(process) == "stored"
        assert process.wait(30) == 0


def test_told_twice_it_does_not_wait_for_requests_either() -> None:
    """For one alone it would wait 20 s; here are one and a socket that never reads."""
    with server() as (process, port), socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard(process) == "asked"
        with socket.create_connection(("127.0.0.1", port)) as talking:
            talking.sendall(
                b"GET /talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert talking.recv(4096).startswith(b"HTTP/1.1 101")
            process.send_signal(signal.SIGTERM)
            assert heard(process) == "retiring"
            process.send_signal(signal.SIGTERM)
            assert heard(process) == "stored"
            assert process.wait(15) == 0
            left = talking.recv(4096)
            assert left[:1] == b"\x88"
            assert int.from_bytes(left[2:4]) == 1012
