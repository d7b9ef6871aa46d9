"""Moves entries and short-lived news to the sockets of this process. Knows no SQL and no HTML.

Two kinds of traffic: *entries* of a stream (numbered, never lost, see feed.py) and *news* (typing, queue places, rows
of the inbox): a small dictionary on a topic, handed to the handlers of this process and, by the bus, of all others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from chat.hub.bus import Bus
from chat.hub.feed import Feed, FeedKey, Follower, StreamEntry

SWEEP_SECONDS = 2.0
SWEEP_SECONDS_ALONE = 1.0
FILL_ROWS = 300

News = Mapping[str, Any]
NewsHandler = Callable[[str, News], None]

log = structlog.get_logger(__name__)


class EntrySource(Protocol):
    """Where entries come from when the window has a hole: the rows."""

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]: ...

    async def heads(self, keys: Iterable[FeedKey]) -> dict[FeedKey, int]: ...


class Hub:
    def __init__(self, bus: Bus, source: EntrySource) -> None:
        self._bus = bus
        self._source = source
        self._feeds: dict[FeedKey, Feed] = {}
        self._handlers: dict[str, list[NewsHandler]] = {}
        self._followed: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep_now = asyncio.Event()
        self.on_sweep: list[Callable[[], Awaitable[None]]] = []
        """Run with each sweep: what else must be found when hints are lost (revoked access …)."""

    async def start(self) -> None:
        await self._bus.start(self._take_hint, self._sweep_now.set)
        self._spawn(self._sweep(), "hub sweep")

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bus.stop()

    @property
    def bus_is_up(self) -> bool:
        return self._bus.is_up

    # ── entries ──────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, key: FeedKey, follower: Follower) -> None:
        """From now on the feed's news reach the follower, once it is live."""
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key)
            self.follow(conversation_topic(key.conversation_id))
        feed.followers.add(follower)

    def leave(self, key: FeedKey, follower: Follower) -> None:
        feed = self._feeds.get(key)
        if feed is None:
            return
        feed.followers.discard(follower)
        if not feed.followers:
            del self._feeds[key]
            self.unfollow(conversation_topic(key.conversation_id))

    def go_live(self, key: FeedKey, follower: Follower) -> None:
        """The follower has its history up to its cursor; whatever came since follows now."""
        follower.live = True
        if (feed := self._feeds.get(key)) is not None:
            self._pump(feed)

    def entered(self, key: FeedKey, entries: list[StreamEntry]) -> None:
        """Entries were committed here: to this process's followers at once, to the others a hint."""
        if not entries:
            return
        if (feed := self._feeds.get(key)) is not None:
            feed.add(entries)
            self._pump(feed)
        self.publish(
            conversation_topic(key.conversation_id), {"kind": "head", "stream": key.stream, "seq": entries[-1].seq}
        )

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
        try:
            while missing is not None:
                head = feed.head
                found = await self._source.entries(feed.key, missing - 1, FILL_ROWS)
                if not found or found[0].seq != missing:
                    if feed.head != head:
                        missing = feed.pump()  # committed while we read: look again
                        continue
                    # The head was ahead of what is committed; a real entry raises it again.
                    feed.head = missing - 1
                    return
                feed.deliver(found)
                missing = feed.pump()
        except Exception:
            # The followers keep their cursors: the next sweep tries again.
            log.warning("entries could not be read", conversation_id=str(feed.key.conversation_id), exc_info=True)
        finally:
            feed.filling = False

    # ── news ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def on(self, kind: str, handler: NewsHandler) -> None:
        self._handlers.setdefault(kind, []).append(handler)

    def publish(self, topic: str, news: News) -> None:
        """`news` needs a `kind`; it reaches the handlers here at once, those of other processes by the bus."""
        self._hand_out(topic, news)
        self._bus.publish(topic, msgspec.json.encode(news))

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
            news = msgspec.json.decode(payload, type=dict[str, Any])
            if news.get("kind") == "head":
                conversation_id = UUID(topic.removeprefix("conversation:"))
                self._raise_head(FeedKey(conversation_id, str(news["stream"])), int(news["seq"]))
            else:
                self._hand_out(topic, news)
        except (msgspec.DecodeError, ValueError, KeyError, TypeError):
            # A neighbour on the bus can delay, never harm (security.md O1).
            log.warning("a hint made no sense", topic=topic)

    async def _sweep(self) -> None:
        while True:
            pause = SWEEP_SECONDS if self._bus.is_up else SWEEP_SECONDS_ALONE
            try:
                async with asyncio.timeout(pause):
                    await self._sweep_now.wait()
            except TimeoutError:
                pass
            self._sweep_now.clear()
            try:
                if self._feeds:
                    for key, head in (await self._source.heads(list(self._feeds))).items():
                        self._raise_head(key, head)
                for hook in self.on_sweep:
                    await hook()
            except Exception:
                # The database is away: nothing is lost, the next sweep looks again.
                log.warning("the sweep failed", exc_info=True)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def conversation_topic(conversation_id: UUID) -> str:
    return f"conversation:{conversation_id}"
