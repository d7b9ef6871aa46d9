"""One thread with a driver's connection of its own, for the transaction that runs all the time.

An async engine hands every statement from task to thread or selector and back, some 300 µs each; a group of messages
is six statements. Here the loop hands over once and is told once.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from chat.connecting import hang_up, means_demoted, means_lost_connection, postgres_error

C = TypeVar("C")
T = TypeVar("T")


class Unwritten(Exception):
    """The database is away, locked or full: nothing was written, a retry may help."""


class Unstorable(Exception):
    """The database refuses what was to be written: a rule of a table, or a value that it cannot hold."""


_UNSTORABLE = ("IntegrityError", "DataError")
"""By the names that all drivers of the DB-API give them."""


def _driver_errors() -> tuple[type[Exception], ...]:
    return (sqlite3.Error, *postgres_error())


class Writer(Generic[C]):
    """`await run(work)`: `work(connection)` in the thread; it begins, commits, and may be run twice, so it must be
    idempotent as a whole. Raises `Unwritten` or `Unstorable`; other mistakes come out as they are.

    `on_demoted` is called in the thread when the server turns out to take no writes any more."""

    def __init__(self, connect: Callable[[], C], seconds: float, on_demoted: Callable[[], None] = lambda: None) -> None:
        self._connect = connect
        self._seconds = seconds
        self._on_demoted = on_demoted
        self._connection: C | None = None
        self._is_broken = False
        self._is_over = False
        self._line = threading.Lock()
        """Held while a connection is closed or hung up: its descriptor may be another's the moment after."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="writer")

    async def run(self, work: Callable[[C], T]) -> T:
        given_up = threading.Event()
        errand = self._executor.submit(self._run, work, given_up)
        running = asyncio.wrap_future(errand)
        running.add_done_callback(_heard)
        try:
            async with asyncio.timeout(self._seconds):
                # Whoever leaves does not leave the thread without its answer.
                return await asyncio.shield(running)
        except TimeoutError:
            if running.done():
                return running.result()  # it was the loop that was late
            # Refused is refused: it does not happen later, when nobody is told of it any more.
            given_up.set()
            errand.cancel()
            self._interrupt()
            raise Unwritten from None

    async def close(self) -> None:
        """What was handed over before is finished, unless it hangs: then it is ended, or the program never would."""
        closing: Future[None] = self._executor.submit(self._drop)
        self._executor.shutdown(wait=False)
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.shield(asyncio.wrap_future(closing))
        except TimeoutError:
            self._is_over = True
            self._interrupt()

    # ── in the thread ────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, work: Callable[[C], T], given_up: threading.Event) -> T:
        stood_idle = self._connection is not None
        try:
            return self._attempt(work, given_up)
        except Unwritten as error:
            if stood_idle and not given_up.is_set() and not self._is_over and self._was_lost(error.__cause__):
                # The server cut a connection that had served before: it, or another, may be there.
                return self._attempt(work, given_up)
            raise

    def _attempt(self, work: Callable[[C], T], given_up: threading.Event) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            if not given_up.is_set() and not self._is_over:
                return work(self._connection)
        except BaseException as error:
            # Closing rolls back; a driver that rolls back also forgets what was prepared.
            self._is_broken = bool(getattr(self._connection, "broken", False))
            self._drop()
            if means_demoted(error):
                self._on_demoted()
            if isinstance(error, UnicodeError | OverflowError):
                raise Unstorable from error
            if not isinstance(error, (*_driver_errors(), OSError)):
                raise
            if any(kind.__name__ in _UNSTORABLE for kind in type(error).__mro__):
                raise Unstorable from error
            raise Unwritten from error
        raise Unwritten

    def _was_lost(self, error: BaseException | None) -> bool:
        return self._is_broken or (error is not None and means_lost_connection(error))

    def _drop(self) -> None:
        connection: Any = self._connection
        self._connection = None
        if connection is not None:
            with self._line, contextlib.suppress(*_driver_errors(), OSError):
                connection.close()

    # ── from the loop ────────────────────────────────────────────────────────────────────────────────────────────

    def _interrupt(self) -> None:
        """Ends what the thread waits for: a server that hangs would hold it for ever."""
        connection: Any = self._connection
        with contextlib.suppress(*_driver_errors(), OSError):
            if isinstance(connection, sqlite3.Connection):
                connection.interrupt()
            elif connection is not None:
                with self._line:
                    hang_up([connection])


def _heard(running: "asyncio.Future[Any]") -> None:
    if not running.cancelled():
        running.exception()
