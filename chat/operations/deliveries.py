"""How long entries were on their way: from the time they carry to the moment they were handed to a socket here."""

from collections.abc import Sequence
from typing import Any

from chat.clock import Clock
from chat.conversations.presenter import PresentedEntry
from chat.hub.feed import Feed
from chat.tally import Spread


class Deliveries:
    """Once for an entry and each kind of reader, however many they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[tuple[str, ...], Spread] = {("visitor",): Spread(), ("operator",): Spread()}

    def add(self, feed: Feed, entries: Sequence[Any]) -> None:
        now = self._clock.now()
        roles = {(follower.audience.role,) for follower in feed.followers if follower.live}
        for entry in entries:
            if isinstance(entry, PresentedEntry):
                took = max(0.0, (now - entry.stored.at).total_seconds())
                for role in roles:
                    self.seconds[role].add(took)
