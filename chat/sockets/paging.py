"""Brings a stream to a connection: pages from its cursor, then live. Position first, state second."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from chat.conversations import store
from chat.conversations.entry import StoredEntry
from chat.conversations.missed import FEW, Cursor, Missed
from chat.conversations.presenter import Audience, Presenter
from chat.db import Database
from chat.hub.connection import Connection
from chat.hub.feed import FeedKey, Follower
from chat.hub.hub import Hub
from chat.protocol import frames

PAGE_ROWS = 300
RENDERED_ROWS = 100
"""For consoles, whose entries come with their HTML: no more than that ever fit."""
PAGE_BYTES = 64 * 1024
FIRST_PAGE = 60
"""Of a conversation that is opened without a cursor: the newest entries; older ones when asked for."""


class StreamReader:
    """One stream of one conversation on one connection."""

    def __init__(
        self,
        db: Database,
        hub: Hub,
        presenter: Presenter,
        connection: Connection,
        key: FeedKey,
        audience: Audience,
        reader_id: UUID | None,
        missed: Missed | None = None,
    ) -> None:
        self._db = db
        self._hub = hub
        self._presenter = presenter
        self._connection = connection
        self._audience = audience
        self._reader_id = reader_id
        self._missed = missed
        """For readers who come by the thousand."""
        self._rows = RENDERED_ROWS if audience.role == "operator" else PAGE_ROWS
        self.key = key
        self.follower = Follower(connection, audience, 0, reader_id)
        hub.join(key, self.follower)

    async def resume(self, after: int, head: int) -> None:
        """The first page after the reader's cursor; without one, or with one from another life, the newest entries."""
        if after:
            self._hub.resyncs["reset" if after > head else "resume",] += 1
        if after > head or (after == 0 and head > FIRST_PAGE):
            async with self._db.read() as session:
                entries = await store.entries_before(
                    session, self.key.conversation_id, self.key.stream, head + 1, FIRST_PAGE
                )
            self._page(self._newest(entries), reset=True)
            self._go_on(entries[-1].seq if entries else 0)
            return
        if self._missed is not None and head - after <= FEW:
            found = await self._missed.after(Cursor(self.key.conversation_id, self.key.stream, after))
            self._show(after, found, reset=after == 0)
        else:
            await self.after(after, reset=after == 0)

    async def after(self, after: int, *, reset: bool = False) -> None:
        """A page of what follows `after`; when it is the last one, the reader goes live."""
        async with self._db.read() as session:
            entries = await store.entries_after(
                session, self.key.conversation_id, self.key.stream, after, self._rows + 1
            )
        self._show(after, entries, reset=reset)

    def _show(self, after: int, entries: list[StoredEntry], *, reset: bool) -> None:
        page = _fitting(self._presented(entries[: self._rows]))
        more = len(page) < len(entries)
        self._page(page, reset=reset, more=more)
        if not more:
            self._go_on(page[-1].seq if page else after)

    async def before(self, before: int) -> None:
        async with self._db.read() as session:
            entries = await store.entries_before(session, self.key.conversation_id, self.key.stream, before, FIRST_PAGE)
        self._page(self._newest(entries), back=True)

    def leave(self) -> None:
        self._hub.leave(self.key, self.follower)

    def _go_on(self, cursor: int) -> None:
        if not self.follower.live:
            self.follower.cursor = cursor
            self._hub.go_live(self.key, self.follower)

    def _presented(self, entries: Iterable[StoredEntry]) -> Iterator[frames.Entry]:
        for entry in entries:
            own = entry.author.id is not None and entry.author.id == self._reader_id
            yield self._presenter.entry(entry, self._audience, with_ref=own)

    def _newest(self, entries: list[StoredEntry]) -> list[frames.Entry]:
        """As many of the last ones as fit, oldest first."""
        return _fitting(self._presented(reversed(entries)))[::-1]

    def _page(
        self, entries: list[frames.Entry], *, more: bool = False, reset: bool = False, back: bool = False
    ) -> None:
        page = frames.Paged(
            str(self.key.conversation_id),
            self.key.stream,
            entries,
            more=more,
            reset=reset,
            earlier=bool(entries) and entries[0].seq > 1 and (reset or back),
            back=back,
        )
        self._connection.push(frames.encode(page))


def _fitting(entries: Iterable[frames.Entry]) -> list[frames.Entry]:
    """The first of them, at most 300 and 64 kB as they are sent, but always one."""
    size = 0
    page: list[frames.Entry] = []
    for entry in entries:
        size += frames.size_of(entry)
        if page and (len(page) == PAGE_ROWS or size > PAGE_BYTES):
            break
        page.append(entry)
    return page
