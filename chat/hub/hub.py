"""Moves entries and short-lived news to the sockets of this process. Knows no SQL and no HTML.

Two kinds of traffic: *entries* of a stream (numbered, never lost, see feed.py) and *news* (typing, queue places, rows
of the inbox): a small dictionary on a topic, handed to the handlers of this process and, by the bus, of all others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from chat.hub import hints
from chat.hub.bus import Bus
from chat.hub.feed import Feed, FeedKey, Follower, StreamEntry
from chat.ids import id_of
from chat.patience import at_most
from chat.supervision import supervised
from chat.tally import Counts

SWEEP_SECONDS = 2.0
SWEEP_SECONDS_ALONE = 1.0
SWEEP_SECONDS_LEAST = 0.2
"""Between two sweeps, however often hints are lost: who is overloaded must not read all the more."""
FILLS = 4
"""Feeds whose rows are read at a time: thousands may be behind at once, and others need the database too."""
FILL_ROWS = 300

News = hints.News
NewsHandler = Callable[[str, News], None]

log = structlog.get_logger(__name__)


class EntrySource(Protocol):
    """Where entries come from when no hint brought them: the rows. And what they look like between processes."""

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]: ...

    async def heads(self, known: Mapping[FeedKey, int]) -> dict[FeedKey, int]:
        """Of the streams whose head is above the known one."""
        ...

    def encode(self, entry: StreamEntry) -> bytes | None:
        """JSON from which another process makes the same entry; None where only its row will do."""
        ...

    def decode(self, key: FeedKey, data: bytes) -> StreamEntry:
        """Raises ValueError for what no process of this version encoded."""
        ...


class Hub:
    def __init__(self, bus: Bus, source: EntrySource) -> None:
        self._bus = bus
        self._source = source
        self._feeds: dict[FeedKey, Feed] = {}
        self._handlers: dict[str, list[NewsHandler]] = {}
        self._followed: dict[str, int] = {}
        self._behind: set[FeedKey] = set()
        """Feeds whose rows could not be read."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep_now = asyncio.Event()
        self._fills = asyncio.Semaphore(FILLS)
        self.resyncs = Counts()
        """Views brought up from rows, by reason: resume (it came back), reset (it had no cursor of ours), fill (no hint
        brought an entry)."""
        self.on_delivered: Callable[[Feed, list[StreamEntry]], None] | None = None
        """Called with entries that were handed to the live followers here, for who measures that."""
        self.on_sweep: list[Callable[[], Awaitable[None]]] = []
        """Run with each sweep: what else must be found when hints are lost (revoked access …)."""

    async def start(self) -> None:
        await self._bus.start(self._take_hint, self._sweep_now.set)
        self._spawn(supervised("hub sweep", self._sweep), "hub sweep")

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bus.stop()

    @property
    def bus_is_up(self) -> bool:
        return self._bus.is_up

    @property
    def bus_silence_seconds(self) -> float:
        return self._bus.silence_seconds

    # ── entries ──────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, key: FeedKey, follower: Follower) -> None:
        """From now on the feed's news reach the follower, once it is live."""
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key)
            self.follow(conversation_topic(key.conversation_id))
        feed.followers.append(follower)

    def leave(self, key: FeedKey, follower: Follower) -> None:
        feed = self._feeds.get(key)
        if feed is None or follower not in feed.followers:
            return
        feed.followers.remove(follower)
        if not feed.followers:
            del self._feeds[key]
            self.unfollow(conversation_topic(key.conversation_id))

    def go_live(self, key: FeedKey, follower: Follower) -> None:
        """The follower has its history up to its cursor; whatever came since follows now."""
        follower.live = True
        if (feed := self._feeds.get(key)) is not None:
            feed.head = max(feed.head, follower.cursor)
            self._pump(feed)

    def entered(self, key: FeedKey, entries: list[StreamEntry]) -> None:
        """Entries were committed here: to this process's followers at once, to the others a hint."""
        if not entries:
            return
        if (feed := self._feeds.get(key)) is not None:
            feed.add(entries)
            self._pump(feed)
            if self.on_delivered is not None:
                self.on_delivered(feed, entries)
        topic = conversation_topic(key.conversation_id)
        for hint in hints.encode_heads(key.stream, entries[-1].seq, [self._source.encode(entry) for entry in entries]):
            self._bus.publish(topic, hint, keep=key.stream)

    def reached(self, key: FeedKey, seq: int) -> None:
        """As `entered`, for an entry of which perhaps all have heard: who has not finds it in the rows."""
        self._raise_head(key, seq)
        for hint in hints.encode_heads(key.stream, seq, [None]):
            self._bus.publish(conversation_topic(key.conversation_id), hint)  # not kept: newer ones may be

    def _take_head(self, topic: str, head: hints.Head) -> None:
        key = FeedKey(id_of(topic.removeprefix("conversation:")), head.stream)
        feed = self._feeds.get(key)
        if feed is None:
            return
        first = head.seq - len(head.entries) + 1
        # What was in the batch of a commit is in the rows: it may be shown before the ones below it are here.
        came = [self._source.decode(key, bytes(one)) for seq, one in enumerate(head.entries, first) if feed.wants(seq)]
        feed.add(came)
        feed.head = max(feed.head, head.seq)
        self._pump(feed)
        if came and self.on_delivered is not None:
            self.on_delivered(feed, came)

    def _raise_head(self, key: FeedKey, seq: int) -> None:
        feed = self._feeds.get(key)
        if feed is not None:
            feed.head = max(feed.head, seq)
            # Also where the head is known already: an earlier look at the rows may have failed.
            self._pump(feed)

    def _pump(self, feed: Feed) -> None:
        missing = feed.pump()
        if missing is not None and not feed.filling:
            feed.filling = True
            self._spawn(self._fill(feed, missing), "hub fill")

    async def _fill(self, feed: Feed, missing: int | None) -> None:
        self.resyncs["fill",] += 1
        try:
            while missing is not None:
                head = feed.head
                async with self._fills:
                    found = await self._source.entries(feed.key, missing - 1, FILL_ROWS)
                if not found or found[0].seq != missing:
                    if feed.head != head:
                        missing = feed.pump()  # committed while we read: look again
                        continue
                    # The head was ahead of what is committed; a real entry raises it again.
                    feed.head = missing - 1
                    return
                feed.deliver(found)
                if self.on_delivered is not None:
                    self.on_delivered(feed, found)
                missing = feed.pump()
        except Exception:
            # The followers keep their cursors: the next sweep tries again.
            self._behind.add(feed.key)
            log.warning("entries could not be read", conversation_id=str(feed.key.conversation_id), exc_info=True)
        finally:
            feed.filling = False

    # ── news ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def on(self, kind: str, handler: NewsHandler) -> None:
        self._handlers.setdefault(kind, []).append(handler)

    def publish(self, topic: str, news: News) -> None:
        """`news` needs a `kind`; it reaches the handlers here at once, those of other processes by the bus."""
        self._hand_out(topic, news)
        self.publish_elsewhere(topic, news)

    def publish_elsewhere(self, topic: str, news: News) -> None:
        """As `publish`, for who has told everybody here."""
        self._bus.publish(topic, hints.encode_news(news))

    def follow(self, topic: str) -> None:
        count = self._followed.get(topic, 0)
        self._followed[topic] = count + 1
        if count == 0:
            self._bus.follow(topic)

    def unfollow(self, topic: str) -> None:
        count = self._followed.get(topic, 0)
        if count <= 1:
            self._followed.pop(topic, None)
            self._bus.unfollow(topic)
        else:
            self._followed[topic] = count - 1

    def _hand_out(self, topic: str, news: News) -> None:
        for handler in self._handlers.get(str(news.get("kind")), ()):
            handler(topic, news)

    def _take_hint(self, topic: str, payload: bytes) -> None:
        try:
            hint = hints.decode(payload)
            if isinstance(hint, hints.Head):
                self._take_head(topic, hint)
            else:
                self._hand_out(topic, hint)
        except (msgspec.DecodeError, ValueError, KeyError, TypeError):
            # A neighbour on the bus can delay, never harm.
            log.warning("a hint made no sense", topic=topic)

    async def _sweep(self) -> None:
        while True:
            pause = SWEEP_SECONDS if self._bus.is_up else SWEEP_SECONDS_ALONE
            await at_most(pause, self._sweep_now)
            self._sweep_now.clear()
            try:
                if self._feeds:
                    known = {key: feed.head for key, feed in self._feeds.items()}
                    for key, head in (await self._source.heads(known)).items():
                        self._raise_head(key, head)
                behind, self._behind = self._behind, set()
                for key in behind:
                    self._raise_head(key, 0)
                for hook in self.on_sweep:
                    await hook()
            except Exception:
                # The database is away: nothing is lost, the next sweep looks again.
                log.warning("the sweep failed", exc_info=True)
            await asyncio.sleep(SWEEP_SECONDS_LEAST)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@lru_cache(maxsize=16_384)
def conversation_topic(conversation_id: UUID) -> str:
    return f"conversation:{conversation_id}"
