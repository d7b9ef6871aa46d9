"""Whatever brings the news, each follower gets each entry once and in order."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.hub.connection import Connection
from chat.hub.feed import FeedKey, Follower, StreamEntry
from chat.hub.hub import Hub
from chat.hub.memory_bus import MemoryBroker, MemoryBus
from chat.ids import new_id
from tests.support.sockets import MemoryTransport


@dataclass(frozen=True)
class Numbered:
    seq: int
    author_id: UUID | None = None

    def frame_for(self, audience: Any, *, with_ref: bool) -> str:
        return f"{self.seq}{'!' if with_ref else ''}"


class Log:
    """Rows in memory, the truth that hints point to."""

    def __init__(self) -> None:
        self.rows: list[StreamEntry] = []

    def append(self, author: UUID | None = None) -> Numbered:
        entry = Numbered(len(self.rows) + 1, author)
        self.rows.append(entry)
        return entry

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        return self.rows[after : after + limit]

    async def heads(self, known: Mapping[FeedKey, int]) -> dict[FeedKey, int]:
        return {key: len(self.rows) for key, seq in known.items() if seq < len(self.rows)}

    def encode(self, entry: StreamEntry) -> bytes | None:
        return json.dumps([entry.seq, str(entry.author_id or "")]).encode()

    def decode(self, key: FeedKey, data: bytes) -> StreamEntry:
        seq, author = json.loads(data)
        return Numbered(seq, UUID(author) if author else None)


KEY = FeedKey(new_id(), "public")


async def test_an_entry_reaches_followers_here_and_in_another_process() -> None:
    log, broker = Log(), MemoryBroker()
    hubs = [Hub(MemoryBus(broker), log) for _ in range(2)]
    transports = [MemoryTransport() for _ in hubs]
    for hub, transport in zip(hubs, transports, strict=True):
        await hub.start()
        connection = Connection(transport)
        follower = Follower(connection, "any", 0)
        hub.join(KEY, follower)
        hub.go_live(KEY, follower)
    for _ in range(5):
        hubs[0].entered(KEY, [log.append()])
    for transport in transports:
        assert await transport.until(5) == ["1", "2", "3", "4", "5"]
    for hub in hubs:
        await hub.stop()


async def test_only_the_author_reads_the_ref() -> None:
    log, ann = Log(), new_id()
    hub = Hub(MemoryBus(), log)
    await hub.start()
    transports = []
    for reader in (ann, new_id()):
        transport = MemoryTransport()
        connection = Connection(transport)
        follower = Follower(connection, "any", 0, reader)
        hub.join(KEY, follower)
        hub.go_live(KEY, follower)
        transports.append(transport)
    hub.entered(KEY, [log.append(ann)])
    assert [await transport.until(1) for transport in transports] == [["1!"], ["1"]]
    await hub.stop()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["told", "hint lost", "told late", "reconnect"]), min_size=1, max_size=25))
def test_lost_and_late_hints_leave_no_hole_and_no_double(story: list[str]) -> None:
    asyncio.run(_live_through(story))


async def _live_through(story: list[str]) -> None:
    log = Log()
    hub = Hub(MemoryBus(), log)
    transport = MemoryTransport()
    connection = Connection(transport)
    follower = Follower(connection, "any", 0)
    hub.join(KEY, follower)
    hub.go_live(KEY, follower)
    late: list[StreamEntry] = []
    for step in story:
        if step == "reconnect":
            hub.leave(KEY, follower)
            follower = Follower(connection, "any", follower.cursor)
            hub.join(KEY, follower)
            hub.go_live(KEY, follower)
            continue
        entry: StreamEntry = log.append()
        if step == "told":
            hub.entered(KEY, [entry])
        elif step == "told late":
            late.append(entry)
        await asyncio.sleep(0)
    for entry in reversed(late):
        hub.entered(KEY, [entry])
    hub._raise_head(KEY, len(log.rows))  # what the sweep does
    assert await transport.until(len(log.rows)) == [str(n + 1) for n in range(len(log.rows))]
    await hub.stop()


async def test_a_follower_far_behind_a_full_window_is_brought_to_the_head() -> None:
    log = Log()
    hub = Hub(MemoryBus(), log)
    transport = MemoryTransport()
    connection = Connection(transport, outbound_bytes=10_000_000)
    hub.join(KEY, Follower(connection, "any", 0))
    for _ in range(1000):
        hub.entered(KEY, [log.append()])
    follower = Follower(connection, "any", 0)
    hub.join(KEY, follower)
    hub.go_live(KEY, follower)
    assert await transport.until(1000) == [str(n + 1) for n in range(1000)]
    await hub.stop()


class Moody(Log):
    """Rows that cannot be read for a while, or are read as they were a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        seen = self.rows[after : after + limit]
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise OSError("away")
        return seen


async def test_what_could_not_be_read_is_read_at_the_next_sweep_though_the_head_is_known() -> None:
    log = Moody()
    hub = Hub(MemoryBus(), log)
    transport = MemoryTransport()
    connection = Connection(transport)
    follower = Follower(connection, "any", 0)
    hub.join(KEY, follower)
    hub.go_live(KEY, follower)
    log.append()
    log.away = True
    hub._raise_head(KEY, 1)
    await asyncio.gather(*hub._tasks)
    assert transport.sent == []
    log.away = False
    hub._raise_head(KEY, 1)  # what the sweep does
    assert await transport.until(1) == ["1"]
    await hub.stop()


async def test_what_is_committed_while_rows_are_read_does_not_wait_for_the_sweep() -> None:
    log = Moody()
    hub = Hub(MemoryBus(), log)
    transport = MemoryTransport()
    connection = Connection(transport)
    follower = Follower(connection, "any", 0)
    hub.join(KEY, follower)
    hub.go_live(KEY, follower)
    log.answers.clear()
    hub._raise_head(KEY, 1)  # a hint that came before the row could be seen here
    await log.asked.wait()
    log.append()
    hub.entered(KEY, [log.append()])
    log.answers.set()
    assert await transport.until(2, seconds=1) == ["1", "2"]
    await hub.stop()


class Counted(Log):
    """Rows, and how often they were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        self.reads += 1
        return await super().entries(key, after, limit)


class Process:
    """A hub on the bus with one follower of the stream."""

    def __init__(self, broker: MemoryBroker, log: Log) -> None:
        self.hub = Hub(MemoryBus(broker), log)
        self.transport = MemoryTransport()
        self.connection = Connection(self.transport)
        self.follower = Follower(self.connection, "any", 0)

    async def __aenter__(self) -> "Process":
        swept = asyncio.Event()

        async def note() -> None:
            if self.hub.bus_is_up:
                swept.set()

        self.hub.on_sweep.append(note)
        await self.hub.start()
        await swept.wait()  # the one that a bus asks for when it has come up
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.hub.stop()

    def follow(self, cursor: int = 0) -> None:
        self.follower.cursor = cursor
        self.hub.join(KEY, self.follower)
        self.hub.go_live(KEY, self.follower)


async def test_a_hint_brings_the_entry_and_no_row_is_read() -> None:
    log, broker = Counted(), MemoryBroker()
    async with Process(broker, log) as here, Process(broker, log) as there:
        there.follow()
        here.hub.entered(KEY, [log.append()])
        await there.transport.until(1)
        for _ in range(200):
            here.hub.entered(KEY, [log.append() for _ in range(3)])
        assert await there.transport.until(601) == [str(n + 1) for n in range(601)]
    assert log.reads == 0


async def test_an_entry_that_is_not_the_next_waits_for_the_rows_below_it() -> None:
    log, broker = Counted(), MemoryBroker()
    async with Process(broker, log) as here, Process(broker, log) as there:
        there.follow()
        here.hub.entered(KEY, [log.append()])
        await there.transport.until(1)
        for _ in range(5):
            log.append()  # committed, and its hint was lost
        here.hub.entered(KEY, [log.append()])
        assert await there.transport.until(7) == [str(n + 1) for n in range(7)]
    assert log.reads == 1


async def test_who_follows_a_moment_after_the_commit_does_not_wait_for_the_sweep() -> None:
    log, broker = Counted(), MemoryBroker()
    async with Process(broker, log) as here, Process(broker, log) as there:
        for _ in range(3):
            here.hub.entered(KEY, [log.append()])
        there.follow(cursor=2)  # what its rows said a moment before the third was committed
        async with asyncio.timeout(1):
            assert await there.transport.until(1) == ["3"]
    assert log.reads == 0


async def test_an_idle_feed_keeps_no_entries() -> None:
    log = Log()
    async with Process(MemoryBroker(), log) as here:
        here.follow()
        for _ in range(100):
            here.hub.entered(KEY, [log.append()])
        assert here.hub._feeds[KEY].window is None
        slow = Follower(here.connection, "any", 0)
        here.hub.join(KEY, slow)
        for _ in range(100):
            here.hub.entered(KEY, [log.append()])
        window = here.hub._feeds[KEY].window
        assert window is not None
        assert len(window) == 64


async def test_hints_that_make_no_sense_are_left_alone() -> None:
    log = Counted()
    async with Process(MemoryBroker(), log) as here:
        here.follow()
        topic = f"conversation:{KEY.conversation_id}"
        for payload in (b"", b"[", b"[]", b"{}", b'["public","x"]', b'["public",1,[{"a":1}]]', b'{"kind":"typed"}'):
            here.hub._take_hint(topic, payload)
        here.hub._take_hint("conversation:none", b'["public",1]')
        here.hub.entered(KEY, [log.append()])
        assert await here.transport.until(1) == ["1"]
