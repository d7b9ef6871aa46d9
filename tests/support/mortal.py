"""A worker that is killed at a given step, for tests: nothing after that moment is done, and nothing is tidied up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import HUNG_SECONDS, Database

T = TypeVar("T")


class Killed(BaseException):
    """No `except Exception` hears of it, as none hears of a SIGKILL."""


class MortalDatabase(Database):
    """Three steps a transaction: before it begins, before its commit, after its commit."""

    left: int | None = None
    """Steps before the end; None: it lives for ever."""

    def _step(self) -> None:
        if self.left == 0:
            raise Killed
        if self.left is not None:
            self.left -= 1

    @asynccontextmanager
    async def write(self, seconds: float = HUNG_SECONDS) -> AsyncIterator[AsyncSession]:
        self._step()
        async with super().write(seconds) as session:
            yield session
            self._step()
        self._step()


async def killed_at_each_step(
    db: MortalDatabase,
    cause: Callable[[], Awaitable[T]],
    work: Callable[[], Awaitable[object]],
    wait: Callable[[], None],
    check: Callable[[T], Awaitable[None]],
) -> int:
    """`work` dies at a step, then for another `cause` at a later one, and so on until it comes to its end; each time
    another does it after `wait`. At every second step: the odd ones on PostgreSQL, the others on SQLite, so that both
    together are all. How many steps there are, or one more."""
    for steps in count(0 if db.is_sqlite else 1, 2):
        made = await cause()
        db.left = steps
        try:
            await work()
        except Killed:
            db.left = None
            wait()
            await work()
            await check(made)
            continue
        finally:
            db.left = None
        await check(made)
        return steps
    raise AssertionError("unreachable")
