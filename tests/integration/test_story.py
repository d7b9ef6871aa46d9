"""Any interleaving of words, losses, resends, reconnects, reloads and crashes: in the end every word stands in the log
once, nothing else does, and every view equals the log. The widget's code and two whole servers are the real ones."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.databases import SqliteMaker
from tests.support.stories import World, texts_of
from tests.support.tabs import Tabs

PLACES = st.integers(0, 1)
CHOICES = st.integers(0, 5)


class Story(RuleBasedStateMachine):
    tabs_of_all: ClassVar[Tabs]
    databases: ClassVar[SqliteMaker]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nightdesk-story-"))
        self.runner = asyncio.Runner()
        self.world = World(self.tabs_of_all, self.folder, self.databases.make())
        self.open: list[str] = []
        self.opened = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.run(self.world.begin())
        self._open_tab()

    def _open_tab(self) -> None:
        self.opened += 1
        self.open.append(f"tab {self.opened}")
        self.world.do("open", tab=self.open[-1])

    def _tab(self, choice: int) -> str:
        return self.open[choice % len(self.open)]

    @rule()
    def another_tab(self) -> None:
        if len(self.open) < 3:
            self._open_tab()

    @rule(choice=CHOICES, kind=st.sampled_from(["crash", "leave"]))
    def tab_goes_and_comes_back(self, choice: int, kind: str) -> None:
        tab = self._tab(choice)
        self.open.remove(tab)
        self.world.do(kind, tab=tab)
        self._open_tab()

    @rule(choice=CHOICES)
    def say(self, choice: int) -> None:
        self.world.say(self._tab(choice))

    @rule(place=PLACES)
    def answer(self, place: int) -> None:
        self.run(self.world.answer(place))

    @rule(choice=CHOICES, place=PLACES)
    def dial_arrives(self, choice: int, place: int) -> None:
        waiting = [link for link in self.world.links if link.server is None]
        if waiting:
            self.world_connects(waiting[choice % len(waiting)], place)

    def world_connects(self, link: Any, place: int) -> None:
        async def connect() -> None:
            self.world.connect(link, place)
            await self.world.settle()

        self.run(connect())

    @rule(choice=CHOICES, count=st.integers(1, 4))
    def frames_arrive(self, choice: int, count: int) -> None:
        if self.world.links:

            async def carry() -> None:
                self.world.carry_up(self.world.links[choice % len(self.world.links)], count)
                await self.world.settle()

            self.run(carry())

    @rule(choice=CHOICES, count=st.integers(1, 4))
    def answers_arrive(self, choice: int, count: int) -> None:
        if self.world.links:
            self.world.carry_down(self.world.links[choice % len(self.world.links)], count)

    @rule()
    def all_is_well_for_a_moment(self) -> None:
        async def carry() -> None:
            for _ in range(3):
                for link in list(self.world.links):
                    self.world.connect(link, 0)
                    self.world.carry_up(link, 100)
                await self.world.settle()
                for link in list(self.world.links):
                    self.world.carry_down(link, 100)

        self.run(carry())

    @rule(choice=CHOICES)
    def line_breaks(self, choice: int) -> None:
        if self.world.links:
            self.world.cut(self.world.links[choice % len(self.world.links)])

    @rule(place=PLACES, choice=CHOICES, fate=st.sampled_from(["arrives", "twice", "lost"]))
    def hint(self, place: int, choice: int, fate: str) -> None:
        async def happen() -> None:
            wire = self.world.servers[place].bus.wire
            if wire.waiting:
                chosen = choice % len(wire.waiting)
                for _ in range({"arrives": 1, "twice": 2, "lost": 0}[fate]):
                    wire.let_through(chosen)
                del wire.waiting[chosen]
                await self.world.settle()

        self.run(happen())

    @rule(place=PLACES)
    def server_is_killed(self, place: int) -> None:
        self.run(self.world.kill(place))

    @rule(seconds=st.sampled_from([1, 3, 40]))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @invariant()
    def views_are_pieces_of_the_log(self) -> None:
        if self.open:
            log = self.run(self.world.log())
            for tab in self.open:
                self.world.check(log, tab)

    def teardown(self) -> None:
        try:
            if self.open:
                self.run(self.world.heal(self.open))
                log = self.run(self.world.log())
                assert sorted(texts_of(log)) == sorted(self.world.said + self.world.answered)
                for entries in log.values():
                    assert [seq for seq, _, _ in entries] == list(range(1, len(entries) + 1))
        finally:
            self.run(self.world.end())
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)


# A killed server returns nothing to its pool, and says so when its remains are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::sqlalchemy.exc.SAWarning")
def test_after_any_story_every_word_stands_once_and_every_view_equals_the_log(sqlite_maker: SqliteMaker) -> None:
    Story.databases = sqlite_maker
    Story.tabs_of_all = Tabs()
    try:
        run_state_machine_as_test(
            Story,
            settings=settings(
                max_examples=int(os.environ.get("STORIES", "15")),
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.reuse, Phase.generate],  # its stories are short: not shrunk for minutes
            ),
        )
    finally:
        Story.tabs_of_all.end()
        gc.collect()  # here it may be said
