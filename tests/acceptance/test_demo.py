"""`nightdesk demo` as a process: ready at once, polite at its end, and the same after it was killed."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.request import urlopen

import httpx2
import pytest

from tests.support.demo import DemoProgram
from tests.support.nightdesk import NIGHTDESK
from tests.support.servers import free_port


@pytest.fixture
def demo() -> Iterator[DemoProgram]:
    program = DemoProgram()
    program.program = [sys.executable, NIGHTDESK]  # started anew, as people start it
    try:
        program.start()
        yield program
    finally:
        program.remove()


def answer_of(url: str) -> tuple[int, dict[str, str]]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 — our own program
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}


def test_it_says_when_it_is_ready_and_where(demo: DemoProgram) -> None:
    assert demo.ready_seconds > 0  # how long is measured by the benchmark `start`, not judged here
    for link in (demo.site, demo.console):
        status, headers = answer_of(link)
        assert status == 200
        assert "server" not in headers


def test_it_ends_when_told(demo: DemoProgram) -> None:
    process = demo.process
    assert process is not None
    demo.stop()
    # Either is a clean end: the server hands the signal on when its work is done.
    assert process.returncode in (0, -signal.SIGTERM)


def test_who_waits_for_news_of_a_ticket_does_not_keep_it(demo: DemoProgram) -> None:
    process = demo.process
    assert process is not None
    with httpx2.Client(base_url=demo.origin, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        assert browser.post(demo.client).status_code == 303
        found = re.search(r"/client/tickets/T-\d\d-\d{6}", browser.get("/client/tickets").text)
        assert found is not None
        look = re.search(r'data-look="(\w+)"', browser.get(found[0]).text)
        assert look is not None
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with closing(HTTPConnection("127.0.0.1", demo.port, timeout=20)) as waiting:
        waiting.request("GET", f"{found[0]}/news?look={look[1]}", headers={"Cookie": cookies})
        demo.stop()
        assert process.returncode in (0, -signal.SIGTERM)
        answer = waiting.getresponse()
        assert (answer.status, json.load(answer)) == (200, {"look": look[1]})


def test_it_starts_again_where_it_was_killed(demo: DemoProgram) -> None:
    before = demo.port
    demo.kill()
    demo.start()
    assert demo.port == before
    assert answer_of(demo.site)[0] == 200


def test_a_port_in_use_is_named(demo: DemoProgram) -> None:
    done = subprocess.run(
        [NIGHTDESK, "demo", "--port", str(demo.port), "--json"],
        env=demo.environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert str(demo.port) in done.stderr
    assert "--port 0" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NIGHTDESK_LISTEN", "everywhere"),
        ("NIGHTDESK_TIME_ZONE", "Mars/Olympus"),
        ("NIGHTDESK_BASE_URL", "http://chat.example.com"),
        ("NIGHTDESK_NO_SUCH_THING", "1"),
    ],
)
def test_nonsense_is_refused_with_the_name_of_the_variable(name: str, value: str) -> None:
    program = DemoProgram(**{name: value})
    done = subprocess.run(
        [NIGHTDESK, "serve"],
        env=program.environment() | {"NIGHTDESK_LISTEN": f"127.0.0.1:{free_port()}", name: value},
        capture_output=True,
        text=True,
        timeout=30,
    )
    program.remove()
    assert done.returncode == 3
    assert name in done.stderr
