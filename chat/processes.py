"""`nightdesk serve --processes N`: a parent that serves nobody, and N servers that share the port.

Each place has a listening socket of its own, all bound to one address (SO_REUSEPORT), so the kernel spreads
connections evenly. Observed with 2,000 long-lived ones over 4 processes: 472 to 533 each; with one socket shared by
all 146 to 792, since the process that sleeps takes everything.

The parent keeps each socket open. A successor listens on it before its predecessor stops accepting, so a rolling
restart (SIGHUP) refuses and resets nobody. After a crash the socket is closed, so that clients reach the others.
Successors are new programs, not forks: after an upgrade a rolling restart is all it takes.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable

import structlog

from chat.child import LEAVING, READY
from chat.listening import CannotListen, bound_socket, next_free_socket
from chat.settings import Settings

READY_SECONDS = 60.0
DRAIN_SECONDS = 55.0
"""More than a server takes to send its clients elsewhere and to end its requests; then it is killed."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""After so long a server counts as healthy, and its next end starts with the shortest pause again."""

log = structlog.get_logger(__name__)


def refusal(settings: Settings, processes: int) -> str | None:
    """Why many processes cannot work with these settings, in a sentence for people."""
    if not hasattr(socket, "SO_REUSEPORT"):
        return f"--processes {processes}: this system cannot share a port; start `nightdesk serve` on a port each."
    missing = [
        name
        for name, there in (
            ("NIGHTDESK_DATABASE_URL=postgresql://…", settings.is_postgresql),
            ("NIGHTDESK_REDIS_URL=redis://…", settings.redis_url is not None),
        )
        if not there
    ]
    if not missing:
        return None
    needed = " and ".join(missing)
    return f"--processes {processes}: many processes share PostgreSQL and Redis: set {needed}, or serve with one."


class Child:
    """One server program, and the line to it: it says when it is ready, and leaves when we are gone."""

    def __init__(self, process: Process, line: socket.socket) -> None:
        self.process = process
        self._line = line
        self._is_told = False
        self.since = asyncio.get_running_loop().time()
        self.replaced = asyncio.Event()

    @classmethod
    async def start(cls, place: int, listening: socket.socket, figures: socket.socket | None) -> "Child":
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "chat", "serve"),
                *("--place", str(place), "--inherited", str(listening.fileno())),
                *(("--figures", str(figures.fileno())) if figures else ()),
                stdin=theirs.fileno(),
                pass_fds=[one.fileno() for one in (listening, figures) if one],
                # Ctrl+C in a terminal is for the parent: it ends the children in good order.
                process_group=0,
            )
        return cls(process, ours)

    async def is_ready(self) -> bool:
        """False: it ended, or said nothing for a minute."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                return await asyncio.get_running_loop().sock_recv(self._line, len(READY)) == READY
        return False

    async def ended(self) -> int:
        code = await self.process.wait()
        self._line.close()
        return code

    async def until_over(self) -> None:
        """Until it ended, takes nobody any more, or another serves in its place: it may take its time to leave."""
        waits = [asyncio.create_task(wait) for wait in (self.process.wait(), self.replaced.wait(), self._leaves())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _leaves(self) -> None:
        """It says so when somebody else than we told it to."""
        with contextlib.suppress(OSError):
            if await asyncio.get_running_loop().sock_recv(self._line, len(LEAVING)):
                self._is_told = True
                return
        await self.process.wait()

    def leave(self) -> None:
        """Asked once, however many reasons there are: asked twice it would hurry."""
        if not self._is_told:
            self._is_told = True
            self.signal(signal.SIGTERM)

    def hurry(self) -> None:
        """By another signal, since two of a kind may arrive as one."""
        self.signal(signal.SIGINT)

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class Place:
    """One of the N: its socket and the child that serves on it. Whoever changes them holds the lock."""

    def __init__(self, number: int, address: tuple[str, int], figures: socket.socket | None) -> None:
        self.number = number
        self._figures = figures
        """Stays the same, so that whoever reads them knows where."""
        self.lock = asyncio.Lock()
        self.child: Child | None = None
        self._address = address
        self._socket: socket.socket | None = None

    async def start(self) -> Child:
        """A child beside the one that is there, if any."""
        if self._socket is None:
            self._socket = bound_socket(*self._address, shared=True)
        return await Child.start(self.number, self._socket, self._figures)

    def refuse(self) -> None:
        """Nobody accepts here any more. A server that hangs may hold the socket too: closing alone would leave clients
        waiting in its queue."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # nobody listened yet
                self._socket.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _figures_socket(settings: Settings) -> socket.socket | None:
    """Without one the servers go on: figures are worth less than conversations, and each says that it has none."""
    if (address := settings.metrics_address) is not None:
        with contextlib.suppress(CannotListen):
            return next_free_socket(*address)
    return None


class Processes:
    """`run` until a signal: TERM and INT end all in good order, a second one lets them hurry, a third one kills; HUP
    restarts one by one."""

    def __init__(self, settings: Settings, count: int) -> None:
        """Raises CannotListen."""
        # Bound alone first: sharing is for us, not for another Nightdesk that runs already.
        with bound_socket(settings.listen_host, settings.listen_port) as probe:
            address = (settings.listen_host, int(probe.getsockname()[1]))
        self._places = [Place(number, address, _figures_socket(settings)) for number in range(count)]
        self._living: set[Child] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()
        self._is_hurried = False
        self._roll = asyncio.Event()

    async def run(self, on_ready: Callable[[], None]) -> int:
        """The exit code. A first start that fails ends everything; its server has said why."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._roll.set)
        try:
            # One before the others: what is wrong with settings or database is said once.
            started = await self._begin(self._places[0])
            if started:
                started = all(await asyncio.gather(*map(self._begin, self._places[1:])))
            if started and not self._ending.is_set():
                on_ready()
                await self._keep_all()
            return 0 if started or self._ending.is_set() else 1
        finally:
            await self._end_all()

    async def _keep_all(self) -> None:
        tasks = [asyncio.create_task(self._keep(place)) for place in self._places]
        tasks.append(asyncio.create_task(self._roll_on()))
        ending = asyncio.create_task(self._ending.wait())
        try:
            # Any end but that of `ending` is a fault of ours: it is raised below, and the children end with us.
            await asyncio.wait([ending, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ending, *tasks):
                task.cancel()
            for result in await asyncio.gather(ending, *tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    async def _begin(self, place: Place) -> bool:
        """A child that is ready, in the place of the one before."""
        child = await place.start()
        self._living.add(child)
        if self._ending.is_set():
            child.leave()
        ready = await child.is_ready()
        if ready:
            before, place.child = place.child, child
            if before is not None:
                before.replaced.set()
        else:
            child.signal(signal.SIGKILL)
            await self._see_off(child)
        return ready

    async def _keep(self, place: Place) -> None:
        """Starts the server again whenever it ends unasked."""
        pause = FIRST_PAUSE
        while True:
            if (child := place.child) is not None:
                await child.until_over()
                async with place.lock:
                    if place.child is not child:
                        continue  # it was replaced and leaves as asked
                    place.refuse()
                    place.child = None
                self._see_off_soon(child)
                if asyncio.get_running_loop().time() - child.since > STEADY_SECONDS:
                    pause = FIRST_PAUSE
                code = child.process.returncode
                event = "a server process ended" if code is not None else "a server process leaves unasked"
                log.error(event, process=place.number, code=code, again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            async with place.lock:
                if place.child is None and not await self._begin(place):
                    place.refuse()
                    log.error("a server process did not start", process=place.number, again_in_seconds=pause)

    async def _roll_on(self) -> None:
        while True:
            await self._roll.wait()
            self._roll.clear()
            log.info("a rolling restart began", processes=len(self._places))
            for place in self._places:
                if not await self._replace(place):
                    log.error("the rolling restart ended early", process=place.number)
                    break
            else:
                log.info("the rolling restart ended")

    async def _replace(self, place: Place) -> bool:
        """The successor is there before the predecessor leaves; without one, the predecessor stays."""
        async with place.lock:
            before = place.child
            if not await self._begin(place):
                return False
        if before is not None:
            await self._see_off(before)
        return True

    async def _see_off(self, child: Child) -> None:
        child.leave()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await child.ended()
        except TimeoutError:
            child.signal(signal.SIGKILL)
            await child.ended()
        self._living.discard(child)

    def _see_off_soon(self, child: Child) -> None:
        task = asyncio.create_task(self._see_off(child))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _end(self) -> None:
        if self._ending.is_set():
            for child in self._living:
                if self._is_hurried:
                    child.signal(signal.SIGKILL)
                else:
                    child.hurry()
            self._is_hurried = True
        self._ending.set()

    async def _end_all(self) -> None:
        self._ending.set()
        for place in self._places:
            place.close()
        await asyncio.gather(*map(self._see_off, list(self._living)))
