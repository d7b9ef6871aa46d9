"""Asking something that may hang: one question at a time, an answer within a time limit or none.

A question that hangs is left hanging and not cancelled: the database driver answers a cancellation only when the
server does, which is just what a hung server does not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


async def at_most(seconds: float, event: asyncio.Event) -> bool:
    """Whether it came within this time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Patience(Generic[T]):
    """`await patience.answer()` raises TimeoutError, or what the question raised. An answer is kept for a while."""

    def __init__(self, ask: Callable[[], Awaitable[T]], *, seconds: float, kept_seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._kept_seconds = kept_seconds
        self._kept: tuple[float, T] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def answer(self) -> T:
        now = asyncio.get_running_loop().time()
        if self._kept is not None and now - self._kept[0] < self._kept_seconds:
            return self._kept[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._question(), name="question")
            self._asking.add_done_callback(self._answered)
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=self._seconds)
        if not done:
            raise TimeoutError
        return asking.result()

    async def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking}, timeout=self._seconds)

    async def _question(self) -> T:
        return await self._ask()

    def _answered(self, task: "asyncio.Task[T]") -> None:
        self._asking = None
        if not task.cancelled() and task.exception() is None:
            self._kept = asyncio.get_running_loop().time(), task.result()
