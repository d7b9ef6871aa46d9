"""`python -m tests.support.tomorrow serve`: Nightdesk as a later version may be, to stand beside today's in an upgrade.

It says more than today's: a frame and a field that no client knows, hints and messages on the bus that no hub knows,
and in each conversation an event and a kind of entry that nothing of today can show. `SCHEMA` is its migration.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, msgpack

from chat.cli import main
from chat.conversations import actions
from chat.conversations.entry import EntryDraft, StoredEntry, event
from chat.conversations.streams import append
from chat.hub import connection, hub, outbound

SCHEMA = (
    "ALTER TABLE message ADD COLUMN foretold text",
    "ALTER TABLE conversation ADD COLUMN foretold integer NOT NULL DEFAULT 0",
    "CREATE TABLE foretold (id integer PRIMARY KEY)",
    "UPDATE alembic_version SET version_num = '9999'",
)
FRAME = '{"type":"foretold","words":"of tomorrow","foretold":{"by":"nobody"}}'


class Foretold(Struct, array_like=True, tag=99, frozen=True):
    words: str = "of tomorrow"


def say_more_to_clients() -> None:
    push = connection.Connection.push

    def more(self: connection.Connection, text: str) -> None:
        push(self, text[:-1] + ',"foretold":{"by":"nobody"}}')
        push(self, FRAME)

    connection.Connection.push = more  # type: ignore[method-assign]


def say_more_to_hubs() -> None:
    say, publish = outbound.Outbound.say, hub.Hub.publish

    def more_on_the_bus(self: outbound.Outbound, said: Any) -> None:
        say(self, said)
        self._bodies.append(msgpack.encode(Foretold()))

    def more_news(self: hub.Hub, topic: str, news: hub.News) -> None:
        publish(self, topic, {**news, "foretold": 1})
        publish(self, topic, {"kind": "foretold", "words": "of tomorrow"})

    outbound.Outbound.say = more_on_the_bus  # type: ignore[method-assign]
    hub.Hub.publish = more_news  # type: ignore[method-assign]


def say_more_in_conversations() -> None:
    """Now and then, so that numbers go on mostly with messages."""
    known: set[str] = set()

    def saying_more(say: Callable[..., Awaitable[StoredEntry]]) -> Any:
        async def more(self: actions.Conversations, *words: Any, **options: Any) -> StoredEntry:
            entry = await say(self, *words, **options)
            if str(entry.conversation_id) not in known:
                known.add(str(entry.conversation_id))
                drafts = [event("foretold", thing="of tomorrow"), EntryDraft("foretold", data={"thing": [1, 2]})]
                async with self._db.write() as session:
                    entries = await append(session, entry.conversation_id, drafts, self._clock.now())
                self.entered(entry.conversation_id, entries)
            return entry

        return more

    for name in ("say", "say_if_held"):
        setattr(actions.Conversations, name, saying_more(getattr(actions.Conversations, name)))


if __name__ == "__main__":
    say_more_to_clients()
    say_more_to_hubs()
    say_more_in_conversations()
    main()
