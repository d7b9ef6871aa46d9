"""Questions that come at the same time are asked together: one trip to the database for a whole crowd.

Who asks alone is answered at once; who asks while a trip is under way goes with the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """`load` is given at most `most` different keys, and called once at a time. What it does not find is None."""

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int = 64) -> None:
        self._load = load
        self._most = most
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._asked_at: dict[K, float] = {}
        self._since: float | None = None
        """When the first of those was asked who are under way."""
        self._trip: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Read after this call began. Raises what `load` raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(answer)
        self._asked_at.setdefault(key, loop.time())
        if self._trip is None:
            self._trip = asyncio.create_task(self._travel())
        return await answer

    @property
    def lateness(self) -> float:
        """For how many seconds the one has waited who has waited longest of those under way; 0 when nobody is."""
        return 0.0 if self._since is None else asyncio.get_running_loop().time() - self._since

    async def _travel(self) -> None:
        asked: dict[K, list[asyncio.Future[V | None]]] = {}
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                asked = {key: self._waiting.pop(key) for key in keys}
                self._since = min([self._asked_at.pop(key) for key in keys])
                try:
                    found = await self._load(keys)
                except Exception as error:
                    # Also of those who wait for the next trip: who hung once would keep them for as long again.
                    for answer in [*_unanswered(asked), *_unanswered(self._waiting)]:
                        answer.set_exception(error)
                    self._waiting.clear()
                    self._asked_at.clear()
                else:
                    for key, answers in asked.items():
                        for answer in answers:
                            if not answer.done():
                                answer.set_result(found.get(key))
        finally:
            self._trip = self._since = None
            for answer in [*_unanswered(asked), *_unanswered(self._waiting)]:
                answer.cancel()
            self._waiting.clear()
            self._asked_at.clear()


def _unanswered(asked: Mapping[K, list[asyncio.Future[V | None]]]) -> list[asyncio.Future[V | None]]:
    return [answer for answers in asked.values() for answer in answers if not answer.done()]
