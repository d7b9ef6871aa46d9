"""Whose turn it is, one at a time. Messages go before all else that waits, but never twice in a row while something
else does: a message waits for one transaction of another kind at most, and none of those waits for ever."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """`async with turns.take(first=True)`. Turns are handed over directly: nobody slips in between."""

    def __init__(self) -> None:
        self._is_taken = False
        self._was_first = False
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def take(self, *, first: bool = False) -> AsyncIterator[None]:
        await self._wait(first)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, first: bool) -> None:
        if not self._is_taken:
            self._is_taken, self._was_first = True, first
            return
        turn = asyncio.get_running_loop().create_future()
        (self._first if first else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._hand_on()  # it was given this turn and takes it no more
            raise

    def _hand_on(self) -> None:
        for waiting in (self._others, self._first) if self._was_first else (self._first, self._others):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._was_first = waiting is self._first
                    turn.set_result(None)
                    return
        self._is_taken = False
