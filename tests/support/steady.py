"""Pairs that talk without a break while servers come and go, and how long each had to wait for its own words."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.views import View, begin

EVERY_SECONDS = 0.8
"""Within the pace that is allowed to a visitor, with room for what is sent again."""


@dataclass
class TimedView(View):
    """Notes how long its words took from its outbox to its screen: that is the acknowledgement."""

    said_at: dict[str, float] = field(default_factory=dict)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """When, and how long."""
    types: Counter[str] = field(default_factory=Counter)
    """Of all frames that came."""

    async def _take(self, frame: dict[str, Any]) -> None:
        self.types[frame["type"]] += 1
        await super()._take(frame)

    async def say(self, text: str) -> None:
        self.said_at[text] = time.monotonic()
        await super().say(text)

    async def _show(self, frame: dict[str, Any]) -> None:
        before = len(self.shown)
        await super()._show(frame)
        now = time.monotonic()
        for entry in self.shown[before:]:
            if (said := self.said_at.get(entry.get("text", ""))) is not None:
                self.waits.append((said, now - said))


@dataclass
class Steady:
    """`said` has the words of each conversation, in no order that counts."""

    visitors: list[TimedView]
    operators: list[TimedView]
    said: dict[str, list[str]] = field(default_factory=dict)

    @property
    def views(self) -> list[TimedView]:
        return [*self.visitors, *self.operators]

    def answering(self, visitor: View) -> TimedView:
        return next(one for one in self.operators if one.conversation == visitor.conversation)

    async def talk(self) -> None:
        """Until cancelled: each says something, and again, and again."""
        while True:
            for view in self.views:
                texts = self.said[view.conversation]
                texts.append(f"{view.conversation[-6:]} {len(texts)}")
                await view.say(texts[-1])
            await asyncio.sleep(EVERY_SECONDS)

    async def settled(self) -> None:
        for view in self.views:
            wanted = self.said[view.conversation]
            await view.until(
                lambda view=view, wanted=wanted: len(view.texts()) == len(wanted) and not view.unsent,  # type: ignore[misc]
                "all heard",
            )

    def longest_waits(self, since: float) -> list[float]:
        """Of each view, for what was said from then on."""
        return [max((wait for said, wait in view.waits if said >= since), default=0.0) for view in self.views]


@asynccontextmanager
async def steady(
    origin: str, addresses: Sequence[str], links: Sequence[str], trust: ssl.SSLContext | None = None
) -> AsyncIterator[Steady]:
    """A pair for each operator's link, and everybody talks until the block ends; then all has been heard."""
    turned = [[*addresses[n % len(addresses) :], *addresses[: n % len(addresses)]] for n in range(len(links))]
    people = Steady(
        [TimedView(origin, turned[n], trust=trust) for n in range(len(links))],
        [TimedView(origin, turned[n], trust=trust, link=link) for n, link in enumerate(links)],
    )
    living = [asyncio.create_task(view.live()) for view in people.views]
    try:
        for operator in people.operators:
            await operator.until(lambda operator=operator: operator.attended, "an operator attends")  # type: ignore[misc]
        for number, visitor in enumerate(people.visitors):
            words = f"words {number}"
            await begin(visitor, people.operators, words)
            people.said[visitor.conversation] = [words]
        talking = asyncio.create_task(people.talk())
        living.append(talking)
        yield people
        talking.cancel()
        await people.settled()
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        for operator in people.operators:
            if operator.browser is not None:
                await operator.browser.aclose()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def rolling_restart(people: Steady, restarts: Sequence[Callable[[], None]]) -> list[float]:
    """Restarts one after the other while people talk; the longest wait of each view in each of them."""
    pauses: list[float] = []
    for restart in restarts:
        since = time.monotonic()
        await asyncio.to_thread(restart)
        until = time.monotonic()
        # What was said before the end of the restart has been heard: its waits are known.
        for view in people.views:
            await view.until(lambda view=view, until=until: any(s >= until for s, _ in view.waits), "heard again")  # type: ignore[misc]
        pauses += people.longest_waits(since)
    return pauses
