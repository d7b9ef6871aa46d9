"""What a message costs with 2, 8 and 32 processes on one Redis: processor of the sender and of the hearer, and latency.

The processes are hubs with the real bus, entries and presenter, without sockets and database, so that 32 of them fit on
two cores: A says what happened in a hundred conversations and in the inbox, B has a reader in each of them, and the
others, in one system process, have conversations of their own. All of them have consoles, so all hear of the inbox.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chat.conversations.actions import DESK, ROWS_SECONDS
from chat.conversations.entry import Author, StoredEntry, decode_entry, encode_entry
from chat.conversations.models import PUBLIC
from chat.conversations.presenter import Audience, PresentedEntry, Presenter
from chat.hub.connection import Connection
from chat.hub.feed import FeedKey, Follower, StreamEntry
from chat.hub.hub import Hub
from chat.hub.redis_bus import RedisBus
from chat.links import Links
from tests.benchmarks.pinned import pin
from tests.benchmarks.scene import percentiles
from tests.support.servers import RedisServer
from tests.support.sockets import MemoryTransport
from tests.support.steps import ROOT

COUNTS = (2, 8, 32)
CONVERSATIONS = [UUID(int=number + 1) for number in range(100)]
OTHERS = 300
"""Conversations that each of the other processes follows."""
PER_SECOND = 500
SECONDS = 5


def measure() -> dict[str, Any]:
    redis = RedisServer()
    try:
        redis.start()
        found = {str(count): _with(count, redis.url) for count in COUNTS}
    finally:
        redis.remove()
    least, most = found[str(COUNTS[0])], found[str(COUNTS[-1])]
    return {
        "processes": found,
        "cpu_ratio": {
            who: round(most["cpu_us_per_message"][who] / least["cpu_us_per_message"][who], 2) for who in ("a", "b")
        },
        "messages_per_second": PER_SECOND,
    }


def _with(count: int, url: str) -> dict[str, Any]:
    programs = [_Program(role, url, number) for role, number in (("b", 1), ("others", count - 2), ("a", 1))]
    b, others, a = programs
    try:
        for program in programs:
            program.answer()  # up, and following
        a.ask(peers=count - 1)
        spoken = a.answer()
        b.ask(heard=PER_SECOND * SECONDS)
        heard = b.answer()
        others.ask()
        waited = others.answer()
        messages = PER_SECOND * SECONDS
        return {
            "cpu_us_per_message": {
                "a": round(spoken["cpu"] / messages * 1e6, 1),
                "b": round(heard["cpu"] / messages * 1e6, 1),
                "each_other": round(waited["cpu"] / messages / max(1, count - 2) * 1e6, 1),
            },
            **percentiles(heard["latencies"]),
        }
    finally:
        for program in programs:
            program.end()


class _Program:
    """A system process that plays its role and answers a line of JSON with one."""

    def __init__(self, role: str, url: str, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.processes", role, url, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self._process.pid, 0 if role in ("a", "b") else 1)

    def ask(self, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


# ── inside the processes ─────────────────────────────────────────────────────────────────────────────────────────────


class _NoRows:
    """Entries that come by hints only."""

    def __init__(self) -> None:
        links = Links("k" * 40, "https://chat.example.com")
        self.presenter = Presenter(links, lambda entry, _locale: f"<li>{entry.text}</li>")

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        return []

    async def heads(self, known: Mapping[FeedKey, int]) -> dict[FeedKey, int]:
        return {}

    def encode(self, entry: StreamEntry) -> bytes | None:
        assert isinstance(entry, PresentedEntry)
        return encode_entry(entry.stored)

    def decode(self, key: FeedKey, data: bytes) -> StreamEntry:
        return self.presenter.present(decode_entry(key.conversation_id, key.stream, data))


class _Clocked(Connection):
    """A console that notes when it was told."""

    def __init__(self, latencies: list[float]) -> None:
        super().__init__(MemoryTransport())
        self._latencies = latencies

    def push(self, text: str) -> None:
        sent = text.partition("@")[2].partition("@")[0]
        self._latencies.append(time.monotonic() - float(sent))


async def _hub(url: str) -> tuple[Hub, RedisBus]:
    bus = RedisBus(url, "a key for benchmarks")
    hub = Hub(bus, _NoRows())
    rows: set[str] = set()
    hub.on("rows", lambda _topic, news: rows.update(news["conversations"]))
    await hub.start()
    while not bus.is_up:  # noqa: ASYNC110 — a bus has no event for it
        await asyncio.sleep(0.01)
    hub.follow(DESK)
    return hub, bus


async def _speak(url: str) -> None:
    hub, bus = await _hub(url)
    source = _NoRows()
    _say({})
    asked = await _asked()
    followed = 0
    while followed < asked["peers"] + len(CONVERSATIONS):  # all are known here, and what they follow
        followed = sum(min(peer.count, 1) for peer in bus._gossip.peers.values())
        followed += sum(
            bool(bus._gossip.directory.of(bus._gossip.followed.hash_of(f"conversation:{one}"))) for one in CONVERSATIONS
        )
        await asyncio.sleep(0.05)
    author = Author("visitor", UUID(int=7), "Ann")
    began, cpu = time.monotonic(), time.process_time()
    rows: set[str] = set()
    told = began
    for number in range(PER_SECOND * SECONDS):
        due = began + number / PER_SECOND
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        conversation = CONVERSATIONS[number % len(CONVERSATIONS)]
        entry = StoredEntry(
            conversation,
            PUBLIC,
            number // len(CONVERSATIONS) + 1,
            "message",
            author,
            f"@{due}@ Is anybody there? The server does not answer, and the invoice is wrong.",
            {},
            f"ref-{number:08}",
            0,
            datetime.now(UTC),
        )
        hub.entered(FeedKey(conversation, PUBLIC), [source.presenter.present(entry)])
        rows.add(str(conversation))
        if time.monotonic() - told > ROWS_SECONDS:
            hub.publish(DESK, {"kind": "rows", "conversations": list(rows)})
            told, rows = time.monotonic(), set()
    _say({"cpu": time.process_time() - cpu})
    await asyncio.sleep(60)


async def _hear(url: str) -> None:
    hub, _ = await _hub(url)
    latencies: list[float] = []
    for conversation in CONVERSATIONS:
        follower = Follower(_Clocked(latencies), Audience("operator", "en"), 0)
        hub.join(FeedKey(conversation, PUBLIC), follower)
        hub.go_live(FeedKey(conversation, PUBLIC), follower)
    _say({})
    while not latencies:  # noqa: ASYNC110 — an event for each would be measured too
        await asyncio.sleep(0.001)
    cpu = time.process_time()
    asked = await _asked()
    while len(latencies) < asked["heard"]:  # noqa: ASYNC110 — as above
        await asyncio.sleep(0.01)
    _say({"cpu": time.process_time() - cpu, "latencies": latencies})
    await asyncio.sleep(60)


async def _wait(url: str, count: int) -> None:
    for place in range(count):
        hub, _ = await _hub(url)
        for number in range(OTHERS):
            hub.follow(f"conversation:{UUID(int=1000 + place * OTHERS + number)}")
    _say({})
    cpu = time.process_time()
    await _asked()
    _say({"cpu": time.process_time() - cpu})
    await asyncio.sleep(60)


async def _asked() -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(await asyncio.to_thread(sys.stdin.readline))
    return asked


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(role: str, url: str, count: int) -> None:
    match role:
        case "a":
            asyncio.run(_speak(url))
        case "b":
            asyncio.run(_hear(url))
        case _:
            asyncio.run(_wait(url, count))


if __name__ == "__main__":
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
