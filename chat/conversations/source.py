"""Where the hub finds entries when its window has a hole: the rows."""

from collections.abc import Iterable

from chat.conversations import store
from chat.conversations.presenter import Presenter
from chat.db import Database
from chat.hub.feed import FeedKey, StreamEntry


class StoredEntries:
    def __init__(self, db: Database, presenter: Presenter) -> None:
        self._db = db
        self._presenter = presenter

    async def entries(self, key: FeedKey, after: int, limit: int) -> list[StreamEntry]:
        async with self._db.read() as session:
            found = await store.entries_after(session, key.conversation_id, key.stream, after, limit)
        return [self._presenter.present(entry) for entry in found]

    async def heads(self, keys: Iterable[FeedKey]) -> dict[FeedKey, int]:
        async with self._db.read() as session:
            return await store.heads(session, keys)
