"""All clients of a run: who they are, when each speaks, and when all have been heard."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import TypeVar

from tests.support.histories import History, Revoked
from tests.support.load.client import Client, World
from tests.support.load.links import Links
from tests.support.load.operator import Operator
from tests.support.load.visitor import Person, Visitor

MOVES_PER_SECOND = 300
AGAIN_SECONDS = 5.0
DIALS_PER_SECOND = 400
BEGINNINGS_AT_ONCE = 20
OPERATORS_SHARE = 0.35
"""Of what is said. Each may say 10 a second, and after an outage has all to say again that nobody could store."""
NOTE_SHARE = 0.05
LONGEST_TEXT = 200
DEPARTMENTS = ("technical", "financial")
C = TypeVar("C", bound=Client)


@dataclass(frozen=True)
class Plan:
    """What a run is made of; JSON from the command that controls it."""

    addresses: list[str]
    origin: str
    site: str
    folder: str
    seed: int
    conversations: int
    tabs: int
    """Second tabs of people who talk."""
    idle: int
    """Visitors who are only connected."""
    operators: list[tuple[str, str]]
    """E-mail address and sign-in link."""


class Crowd:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = Random(plan.seed)  # noqa: S311 — a story that can be told again
        self.world = World(plan.addresses, plan.origin, plan.site, self.chance)
        self.links = Links(self.world, self.chance)
        self.holders: dict[str, Operator] = {}
        self.talkers: list[Visitor] = []
        self.tabs: list[Visitor] = []
        self.idle: list[Visitor] = []
        self.operators: list[Operator] = []
        self.said = 0
        self._made = 0
        self._rate = 0.0
        self._rate_changed = asyncio.Event()
        self._news = asyncio.Event()
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._look())]

    def __iter__(self) -> Iterator[Client]:
        yield from self.operators
        yield from self.talkers
        yield from self.tabs
        yield from self.idle

    def ref(self) -> str:
        return f"ref-{self.chance.getrandbits(96):024x}"

    # ── coming ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self, seconds: float) -> None:
        """Everybody comes, and every conversation has its operator."""
        self.operators = [
            self._known(Operator(self.world, self._history(f"operator-{n:03}", "operator"), email, link, self.holders))
            for n, (email, link) in enumerate(self.plan.operators)
        ]
        await self._dial(self.operators, seconds)
        self.idle = [self.stranger() for _ in range(self.plan.idle)]
        people = [Person(self.ref(), DEPARTMENTS[n % 2]) for n in range(self.plan.conversations)]
        self.talkers = [self._visitor(f"visitor-{n:05}", person, begins=True) for n, person in enumerate(people)]
        await self._dial([*self.talkers, *self.idle], seconds)
        for place in range(0, len(self.talkers), BEGINNINGS_AT_ONCE):
            some = self.talkers[place : place + BEGINNINGS_AT_ONCE]
            for talker in some:
                talker.begin()
            await self.until(lambda some=some: all(self._is_held(one) for one in some), seconds, "an operator")  # type: ignore[misc]
        self.tabs = [self._visitor(f"tab-{n:05}", people[n]) for n in range(self.plan.tabs)]
        await self._dial(self.tabs, seconds)

    def stranger(self) -> Visitor:
        self._made += 1
        return self._visitor(f"idle-{self._made:05}", None)

    def _visitor(self, name: str, person: Person | None, *, begins: bool = False) -> Visitor:
        return self._known(Visitor(self.world, self._history(name, "visitor"), person, begins=begins))

    def _known(self, client: C) -> C:
        client.changed = self._news.set
        return client

    def _history(self, name: str, kind: str) -> History:
        return History(Path(self.plan.folder), name, kind)

    async def _dial(self, clients: Sequence[Client], seconds: float) -> None:
        for number, client in enumerate(clients):
            client.dial(number / DIALS_PER_SECOND)
        await self.until(lambda: all(one.live or one.gone for one in clients), seconds, "everybody connected")

    def _is_held(self, talker: Visitor) -> bool:
        return talker.person is not None and talker.person.conversation in self.holders

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def talk(self, per_second: float) -> None:
        self._rate = per_second
        self._rate_changed.set()

    async def _speak(self) -> None:
        due = monotonic()
        while True:
            if self._rate <= 0:
                self._rate_changed.clear()
                await self._rate_changed.wait()
                due = monotonic()
                continue
            due += self.chance.expovariate(self._rate)
            if (wait := due - monotonic()) > 0:
                await asyncio.sleep(wait)
            if self._rate > 0:
                self.speak(due)

    def speak(self, due: float) -> None:
        """Somebody says something: a visitor, or the operator who has the conversation."""
        here = [one for one in self.talkers if not one.gone]
        if not here:
            return
        talker = self.chance.choice(here)
        text = "x" * self.chance.randint(5, LONGEST_TEXT)
        assert talker.person is not None
        holder = self.holders.get(talker.person.conversation)
        self.said += 1
        if holder is not None and not holder.gone and self.chance.random() < OPERATORS_SHARE:
            is_note = self.chance.random() < NOTE_SHARE
            holder.say(talker.person.conversation, self.ref(), text, due, note=is_note)
        else:
            talker.say(self.ref(), text, due)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = monotonic()
            for client in list(self):
                client.look(now)
                if client.live and self.chance.random() < self.links.breaks_per_minute / 60:
                    client.abort(by_link=True)

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
                    await asyncio.sleep(0.02)  # thousands of frames a second: look at them together
        except TimeoutError:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}") from None

    async def until_each(
        self, holds: Callable[[Client], bool], seconds: float, what: str, waited_for: set[Client] | None = None
    ) -> None:
        """Of everybody at once; where lines break all the time and somebody is always away, of each at some time.
        `waited_for` says of whom not yet."""
        waited_for = set() if waited_for is None else waited_for
        waited_for.update(self)

        def is_over() -> bool:
            asked = list(waited_for if self.links.are_breaking else self)
            waited_for.clear()
            waited_for.update(one for one in asked if not (one.gone or holds(one)))
            return not waited_for

        await self.until(is_over, seconds, what)

    async def on_their_way(self, seconds: float) -> None:
        """Straight or by the proxy, as each should: who was refused there tries again a moment later."""
        waited_for: set[Client] = set()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(TimeoutError):
                        await self.until_each(lambda one: one.live and one.is_on_its_way, AGAIN_SECONDS, "", waited_for)
                        return
                    for client in waited_for:
                        if client.live:
                            client.dial()
        except TimeoutError:
            raise TimeoutError(f"not within {seconds:.0f} s: {len(waited_for)} are not on their way") from None

    async def settle(self, seconds: float) -> None:
        """Nobody speaks, everybody was there, and nothing waits in an outbox."""
        self.talk(0)
        try:
            await self.until_each(lambda one: one.live and not one.unsent, seconds, "quiet")
        except TimeoutError:
            away = [one.history.path.stem for one in self if not one.gone and not one.live]
            unsent = sum(len(one.unsent) for one in self if not one.gone)
            raise TimeoutError(f"not within {seconds:.0f} s: away {away[:5]} of {len(away)}, {unsent} unsent") from None

    async def caught_up(self, heads: dict[str, dict[str, int]], seconds: float) -> None:
        """Every view that is still open has shown everything up to these numbers."""

        def behind() -> bool:
            return any(
                view.cursor < heads.get(stream, {}).get(conversation, 0)
                for client in self
                if not client.gone
                for (conversation, stream), view in client.views.items()
            )

        try:
            await self.until(lambda: not behind(), seconds, "all views are complete")
        finally:
            self.flush()

    def flush(self) -> None:
        for client in self:
            client.history.flush()

    # ── going ────────────────────────────────────────────────────────────────────────────────────────────────────

    def drop(self, share: float, within: float) -> int:
        """So many lines break by RST, and their clients return within that time (0: by their own backoff)."""
        struck = [one for one in self if one.live and self.chance.random() < share]
        for client in struck:
            if within > 0:
                client.return_within(within)
            client.abort()
        return len(struck)

    async def spread(self, seconds: float) -> None:
        """Evenly over the servers, as after a while behind a proxy: whoever came back last has nobody at first."""
        homes = {client: self.plan.addresses[n % len(self.plan.addresses)] for n, client in enumerate(self)}

        def strays() -> list[Client]:
            found = {
                one: at
                for one, at in homes.items()
                if not one.gone and (one.socket is None or one.socket.address != at)
            }
            if self.links.are_breaking:
                homes.clear()
                homes.update(found)
            return list(found)

        try:
            async with asyncio.timeout(seconds):
                while found := strays():
                    for number, client in enumerate(found):
                        client.move(homes[client])
                        if number % MOVES_PER_SECOND == MOVES_PER_SECOND - 1:
                            await asyncio.sleep(1)
                    # Who was refused stays where it is: a moment later it may be let in.
                    with contextlib.suppress(TimeoutError):
                        await self.until(lambda: not strays(), AGAIN_SECONDS, "everybody moved")
        except TimeoutError:
            raise TimeoutError(f"not within {seconds:.0f} s: {len(strays())} could not move") from None

    def churn(self, count: int) -> None:
        """So many idle visitors leave, every other by RST, and as many strangers come."""
        leaving = self.idle[:count]
        self.idle = self.idle[count:] + [self.stranger() for _ in leaving]
        for number, client in enumerate(leaving):
            client.leave(by_reset=number % 2 == 0)
            client.history.flush()
        for number, client in enumerate(self.idle[-count:]):
            client.dial(number / DIALS_PER_SECOND)

    def replay(self, count: int) -> None:
        """People with two tabs say one thing from both, twice: the same `ref` over two sockets, and replayed."""
        for tab in [self.chance.choice(self.tabs) for _ in range(count)]:
            person, ref = tab.person, self.ref()
            talker = next(one for one in self.talkers if one.person is person)
            talker.say(ref, "said by all tabs", monotonic())
            for client in (tab, talker, tab):
                client.send(talker.frame(ref))
            self.said += 1

    async def sign_out(self, number: int) -> None:
        """An operator signs out in another window: the open console must end by itself."""
        operator = self.operators[number]
        status = await operator.sign_out(self.chance.choice(self.plan.addresses))
        operator.history.add(Revoked(monotonic()))
        if status != 303:
            raise RuntimeError(f"sign-out answered {status}")

    def revoked(self, number: int) -> None:
        """Somebody took this operator's access away just now."""
        self.operators[number].history.add(Revoked(monotonic()))

    async def end(self) -> None:
        """Conversations are ended, so that nothing of this run is offered to the operators of the next."""
        self.talk(0)
        for talker in self.talkers:
            talker.end()
        try:
            await self.until(lambda: not self.holders, 20, "all conversations are ended")
        finally:
            for task in self._tasks:
                task.cancel()
            for client in list(self):
                client.leave()
            self.flush()
            for operator in self.operators:
                await operator.close()
            await self.links.stop()
