"""Where the hub finds entries when no hint brought them: the rows. And an entry as it goes from process to process."""

from collections.abc import Mapping

from chat.conversations import store
from chat.conversations.entry import decode_entry, encode_entry
from chat.conversations.heads import heads_above
from chat.conversations.presenter import PresentedEntry, Presenter
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

    async def heads(self, known: Mapping[FeedKey, int]) -> dict[FeedKey, int]:
        return await heads_above(self._db, known)

    def encode(self, entry: StreamEntry) -> bytes | None:
        return encode_entry(entry.stored) if isinstance(entry, PresentedEntry) else None

    def decode(self, key: FeedKey, data: bytes) -> StreamEntry:
        return self._presenter.present(decode_entry(key.conversation_id, key.stream, data))
