"""The heartbeat of all sockets of a process: one task, not one per socket.

A wheel with slots of a tenth of a second: a socket stands in the slot in which it came and is asked once in a turn of
20 s. Who says nothing for 5 s after that is on a dead line; who has not introduced themselves after 10 s is not waited
for. With so many slots thousands who came back together are not asked together.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import structlog

from chat.sockets.traffic import Traffic

TICK_SECONDS = 1.0
SLOTS_PER_TICK = 10
BEAT_SECONDS = 20
ANSWER_SECONDS = 5
HELLO_SECONDS = 10
REST_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Beating(Protocol):
    def ask(self) -> None: ...

    def check_answer(self) -> None: ...

    def check_hello(self) -> None: ...


class Heart:
    """Also holds the work of sockets that must be finished before the process ends, and counts what they carry."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self._slots: list[set[Beating]] = [set() for _ in range(BEAT_SECONDS * SLOTS_PER_TICK)]
        self._turn = 0
        self.lateness = 0.0
        """Seconds by which the last look at a slot came too late: how busy this process is."""
        self._work: set[asyncio.Task[None]] = set()

    def add(self, socket: Beating) -> int:
        """The slot, for `remove`."""
        self._slots[self._turn].add(socket)
        return self._turn

    def remove(self, socket: Beating, slot: int) -> None:
        self._slots[slot].discard(socket)

    def tick(self) -> None:
        """A second has passed."""
        for _ in range(SLOTS_PER_TICK):
            self._next_slot()

    def _next_slot(self) -> None:
        self._turn = (self._turn + 1) % len(self._slots)
        for socket in list(self._slots[self._turn]):
            socket.ask()
        for socket in list(self._slots[self._turn - ANSWER_SECONDS * SLOTS_PER_TICK]):
            socket.check_answer()
        for socket in list(self._slots[self._turn - HELLO_SECONDS * SLOTS_PER_TICK]):
            socket.check_hello()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # A process that slept does not ask twice at once.
            due = max(due + TICK_SECONDS / SLOTS_PER_TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            self.lateness = loop.time() - due
            self._next_slot()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def rest(self) -> None:
        """Until all that was begun is finished; what takes longer than `REST_SECONDS` is given up."""
        try:
            async with asyncio.timeout(REST_SECONDS):
                while self._work:
                    await asyncio.wait(self._work)
        except TimeoutError:
            log.warning("work of sockets was given up", tasks=len(self._work))
            for task in list(self._work):
                task.cancel()
            await asyncio.gather(*self._work, return_exceptions=True)
