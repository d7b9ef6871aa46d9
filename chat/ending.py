"""How a process is told to end: the first SIGTERM or SIGINT asks for good order, the next one to hurry."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LAST_SECONDS = 5.0
"""What is still written after that waits for a database that hangs: nobody was told that it is stored."""

log = structlog.get_logger(__name__)


class Ending:
    def __init__(self) -> None:
        self.told = asyncio.Event()
        self._hurried = asyncio.Event()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """From here on signals are heard. None is raised again afterwards: who ends as asked ends with 0."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.tell)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def tell(self) -> None:
        if self.told.is_set():
            self._hurried.set()
        self.told.set()

    async def unless_hurried(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether `work` came to its end; in a hurry it is cancelled."""
        working = asyncio.create_task(work)
        await self._first(working)
        if working.done():
            working.result()
            return True
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return False

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """`work` to its end; in a hurry it has a few seconds more, then the process ends without it."""
        working = asyncio.create_task(work)
        await self._first(working)
        await asyncio.wait({working}, timeout=LAST_SECONDS)
        if not working.done():
            log.error("the process ended before all was finished")
            sys.stdout.flush()
            # Threads that wait for the database would be waited for.
            os._exit(1)
        working.result()

    async def _first(self, working: "asyncio.Task[None]") -> None:
        hurrying = asyncio.create_task(self._hurried.wait())
        try:
            await asyncio.wait({working, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurrying.cancel()
