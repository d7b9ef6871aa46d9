"""The canary: a synthetic visitor and a synthetic operator who talk every 30 s, so that the first to notice is us.

The visitor comes through the public address, as people do: proxy, TLS and whatever process the proxy chooses are part
of the test. The operator comes to this process's own address, so that a message between them crosses the bus wherever
the proxy chose another process. Journal, hub and sockets are those of everybody.
"""

import asyncio
import time
from datetime import datetime
from typing import Literal

import structlog

from chat.clock import Clock
from chat.operations.canary_line import CanaryLine
from chat.operations.canary_rows import LIFE, CanaryRows, Pair
from chat.people.sign_in import Login, SignIn
from chat.settings import Settings
from chat.tally import Spread

EVERY_SECONDS = 30.0
AGAIN_SECONDS = 5.0
"""After a failure."""
LOST_SECONDS = 10.0
LATE_SECONDS = 3.0
"""What the contract allows while hints between processes are lost."""

State = Literal["new", "well", "late", "lost"]

log = structlog.get_logger(__name__)


class Canary:
    def __init__(
        self,
        settings: Settings,
        rows: CanaryRows,
        sign_in: SignIn,
        clock: Clock,
        *,
        every_seconds: float = EVERY_SECONDS,
        lost_seconds: float = LOST_SECONDS,
    ) -> None:
        self._rows = rows
        self._sign_in = sign_in
        self._clock = clock
        self._public = settings.base_url
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen_host, settings.listen_host)  # noqa: S104
        self._own = f"http://{f'[{host}]' if ':' in host else host}:{settings.listen_port}"
        self._every = every_seconds
        self._lost_after = lost_seconds
        self._pair: Pair | None = None
        self._furnished = 0.0
        self._lines: tuple[CanaryLine, CanaryLine] | None = None
        self._number = 0
        self.seconds = Spread()
        self.lost = 0
        self.state: State = "new"
        self.since: datetime | None = None

    async def run(self) -> None:
        """Until cancelled; then its rows are gone."""
        pause = min(self._every, AGAIN_SECONDS)  # the process is not in rotation in its first moment
        try:
            while True:
                await asyncio.sleep(pause)
                pause = self._every if await self.talk() else min(self._every, AGAIN_SECONDS)
        finally:
            await self._hang_up()
            if self._pair is not None:
                await self._rows.forget(self._pair)

    async def talk(self) -> bool:
        """One word each way; False when it was lost."""
        try:
            async with asyncio.timeout(self._lost_after):
                lines = await self._connected()
                if lines is None:
                    return True
                slowest = await self._exchange(*lines)
        except Exception as error:
            # Whatever it was, a visitor would have met it too.
            self.lost += 1
            log.warning("a message of the canary was lost", error=type(error).__name__)
            self._become("lost")
            await self._hang_up()
            return False
        self._become("late" if slowest > LATE_SECONDS else "well")
        return True

    async def _exchange(self, visitor: CanaryLine, operator: CanaryLine) -> float:
        slowest = 0.0
        for sender, reader in ((visitor, operator), (operator, visitor)):
            self._number += 1
            text = f"canary {self._number}"
            ref = f"canary-{self._pair_now.login.id.hex}-{self._number}"
            began = time.perf_counter()
            await sender.send("say", conversation=str(self._pair_now.conversation), ref=ref, text=text)
            await reader.shown(text)
            took = time.perf_counter() - began
            self.seconds.add(took)
            slowest = max(slowest, took)
        return slowest

    @property
    def _pair_now(self) -> Pair:
        if self._pair is None:
            raise LookupError
        return self._pair

    async def _connected(self) -> tuple[CanaryLine, CanaryLine] | None:
        is_old = self._clock.monotonic() - self._furnished > LIFE.total_seconds()
        # What was lost may have been its rows: of a process that slept, say, others tidy up.
        if self._pair is not None and (is_old or self.state == "lost"):
            await self._hang_up()
            await self._rows.forget(self._pair)
            self._pair = None
        if self._pair is None:
            self._pair = await self._rows.furnish()
            self._furnished = self._clock.monotonic()
            if self._pair is None:
                return None
        if self._lines is not None and not all(line.is_open for line in self._lines):
            await self._hang_up()
        if self._lines is None:
            pair = self._pair
            visitor = await CanaryLine.open(f"{self._public}/w/{pair.site}/socket", self._public)
            try:
                operator = await CanaryLine.open(f"{self._own}/console/socket", self._public)
            except BaseException:
                await visitor.close()
                raise
            self._lines = visitor, operator
            await visitor.send(
                "hello", site=pair.site, token=pair.token, conversation=str(pair.conversation), last_seen=0
            )
            await visitor.until("welcomed")
            await visitor.until("paged")
            made = await self._sign_in.make_socket_pass(Login(pair.operator, pair.login))
            await operator.send("attend", socket_pass=made)
            await operator.until("attended")
            await operator.send("open", conversation=str(pair.conversation))
            await operator.until("paged", lambda frame: frame["stream"] == "public")
        return self._lines

    async def _hang_up(self) -> None:
        lines, self._lines = self._lines, None
        for line in lines or ():
            await line.close()

    def _become(self, state: State) -> None:
        if state == self.state:
            return
        if state != "well" or self.state != "new":
            log.info("the canary changed", state=state, before=self.state)
        self.state = state
        self.since = self._clock.now()
