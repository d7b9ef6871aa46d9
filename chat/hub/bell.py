"""Wakes who works at what was committed, in whatever process: the outbox, the mail, what was said.

Naively a worker polls: every 2 s it is late for people who talk, every 50 ms each idle worker asks the database for
ever. Here a ring is a hint on one topic, which only workers follow. All rings of a moment are one hint, and each worker
takes a moment of its own before it looks, so that of many idle ones the first finds the work and the others find
nothing. A lost hint costs what the poll takes.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from chat.hub.hub import Hub, News
from chat.ids import id_of, text_of

WORK = "work"
"""Topic, and kind of its news."""
TELL_SECONDS = 0.03
"""What rings within this time is told elsewhere together …"""
AT_ONCE = 90
"""… so many ids in one hint of 4 kB."""
SPREAD_SECONDS = 0.1
"""Within this time the workers that were told look, one after the other."""

Hearer = Callable[[Sequence[UUID]], None]


class Bell:
    """`ring` after a commit; `with followed()` around the work hears the rings of other processes too."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._hearers: dict[str, list[Hearer]] = {}
        self._rung: dict[str, set[UUID]] = {}
        """Here, and not told elsewhere yet."""
        self._came: dict[str, set[UUID]] = {}
        """From elsewhere, and not looked at yet."""
        hub.on(WORK, self._take)

    def on(self, what: str, hearer: Hearer) -> None:
        """`hearer(ids)`: what it is about, where that was said."""
        self._hearers.setdefault(what, []).append(hearer)

    def ring(self, what: str, about: UUID | None = None) -> None:
        """Here at once."""
        ids = () if about is None else (about,)
        self._wake(what, ids)
        if not self._rung:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
        self._rung.setdefault(what, set()).update(ids)

    @contextmanager
    def followed(self) -> Iterator[None]:
        self._hub.follow(WORK)
        try:
            yield
        finally:
            self._hub.unfollow(WORK)

    def _tell(self) -> None:
        rung, self._rung = self._rung, {}
        for what, ids in rung.items():
            texts = [text_of(one) for one in ids]
            for start in range(0, max(1, len(texts)), AT_ONCE):
                self._hub.publish_elsewhere(WORK, {"kind": WORK, "what": what, "ids": texts[start : start + AT_ONCE]})

    def _take(self, _topic: str, news: News) -> None:
        what, ids = str(news["what"]), [id_of(one) for one in news["ids"]]
        if not self._came:
            pause = random.uniform(0, SPREAD_SECONDS)  # noqa: S311 — spreads, hides nothing
            asyncio.get_running_loop().call_later(pause, self._look)
        self._came.setdefault(what, set()).update(ids)

    def _look(self) -> None:
        came, self._came = self._came, {}
        for what, ids in came.items():
            self._wake(what, tuple(ids))

    def _wake(self, what: str, ids: Sequence[UUID]) -> None:
        for hearer in self._hearers.get(what, ()):
            hearer(ids)
