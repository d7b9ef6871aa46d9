"""Clients that behave badly, storms of one `ref`, and access that ends: the others must not notice."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Any

from tests.acceptance.matrix.scene import Scene, cells
from tests.acceptance.matrix.stage import SITE, Judgement
from tests.support.bad_clients import Codes, Place, flood, flood_nobody, malformed, silent, slow_readers, talk, visits
from tests.support.measured import percentile

BOTH = ("sqlite", "postgresql")
ROUNDS = 8
MOVED = 1.1
SHORT_SECONDS = 3.0
COST_BYTES = 256 * 1024
FLOOD_PER_SECOND = 1000.0
HEADER_SECONDS = 10.0
REVOKED_SECONDS = 5.0
MALFORMED = {
    "binary": {4501},
    "no JSON": {4501},
    "too large": {1009},
    "deflated though nobody agreed": {1002},
    "not masked": {1002},
}
Windows = list[tuple[float, float]]
Badness = Callable[[Place], Coroutine[Any, Any, Any]]


def place_of(scene: Scene) -> Place:
    return Place(scene.stage.hubs[0].base_url, scene.stage.desk.base_url, SITE)


@dataclass
class Rounds:
    """What the bad clients gave in each round, and by how much all hubs together were larger while they were there than
    just before, in bytes."""

    found: list[list[Any]] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)


def alternating(scene: Scene, *bad: Badness, beside: Sequence[Badness] = ()) -> Rounds:
    """Rounds with and without the bad clients, on the same load: the difference is theirs. `beside`: what the rounds
    without them have in their place: what belongs to nobody who is bad, or is work of their own computers, which are
    this one here."""
    calm: Windows = []
    disturbed: Windows = []
    rounds = Rounds()
    for _ in range(scene.times(ROUNDS)):
        start = monotonic()
        with ThreadPoolExecutor(len(beside) or 1) as pool:
            meanwhile = [pool.submit(asyncio.run, one(place_of(scene))) for one in beside]
            scene.wait(20, 1.5)
            for one in meanwhile:
                one.result()
        calm.append((start, monotonic()))
        base = highest = scene.stage.rss()
        scene.strike()
        start = monotonic()
        with ThreadPoolExecutor(len(bad)) as pool:
            running = [pool.submit(asyncio.run, one(place_of(scene))) for one in bad]
            # As long as without them: a short window would be nothing but their worst.
            for _ in range(scene.times(20, 3)):
                scene.wait(1, 0.5)
                highest = max(highest, scene.stage.rss())
            rounds.found.append([one.result() for one in running])
        disturbed.append((start, monotonic()))
        rounds.costs.append(highest - base)
    scene.over()
    demand_p99(scene, calm, disturbed)
    largest = max(rounds.costs) / 1024
    scene.notes.append(f"RSS +{median(rounds.costs) / 1024:.0f} kB beside them, {largest:.0f} in one round")
    return rounds


def demand_p99(scene: Scene, calm: Windows, disturbed: Windows) -> None:
    def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
        # Of the rounds the median: where the disk stood still once for a moment, that would be the p99 of them all.
        rounds = [
            sorted(percentile(judgement.figures.shown(*window), 0.99) for window in windows)
            for windows in (calm, disturbed)
        ]
        before, during = map(median, rounds)
        # A short run has few messages on a busy machine: one of them is the p99.
        most = scene.limit(before) + SHORT_SECONDS if scene.short else before * MOVED
        calm_ones, bad_ones = (f"{one[0] * 1000:.0f} to {one[-1] * 1000:.0f}" for one in rounds)
        says = f"others' p99 {before * 1000:.1f} → {during * 1000:.1f} ms (rounds {calm_ones} → {bad_ones})"
        return during <= most, says

    scene.demand("the others' p99 moves by 10 % at most", holds)
    scene.demand_no_errors()


def demand_codes(scene: Scene, what: str, codes: Codes, wanted: set[int]) -> None:
    wrong = sorted(set(codes) - wanted)
    says = f"{what}: {len(codes)} closed as documented" if not wrong else f"{what}: {wrong} among {len(codes)}"
    scene.demand_now(f"{what} are closed with their code", not wrong, says)


def the_same_flood(scene: Scene, full: int) -> list[Badness]:
    """To nobody: who floods the server uses a computer, too. And what is taken of it, by somebody who says no more: a
    conversation that begins, and words within the pace, are anybody's work."""
    seconds = scene.times(full, 2)
    return [lambda _place: flood_nobody(FLOOD_PER_SECOND, seconds), lambda place: talk(place, seconds)]


def the_same_visits(place: Place) -> Coroutine[Any, Any, Any]:
    """As many as come to say nonsense."""
    return visits(place, len(MALFORMED))


def the_same_talk(scene: Scene, count: int) -> Badness:
    """What is said to slow readers, said to some who read: long messages are work, whoever reads them."""
    return lambda place: slow_readers(place, count, scene.times(4, 0), reads=True)


def read_nothing(scene: Scene) -> None:
    """100 slow readers."""
    count = scene.times(100, 3)
    rounds = alternating(
        scene, lambda place: slow_readers(place, count, scene.times(4, 0)), beside=[the_same_talk(scene, count)]
    )
    for (codes,) in rounds.found:
        demand_codes(scene, "slow readers", codes, {4008})
    cost = median(rounds.costs) / count
    scene.demand_now("each costs 256 kB at most", scene.short or cost <= COST_BYTES, f"{cost / 1024:.0f} kB each")


def say_too_much(scene: Scene) -> None:
    """One flood of 1,000 messages a second."""
    floods = alternating(
        scene,
        lambda place: flood(place, FLOOD_PER_SECOND, scene.times(20, 2)),
        beside=the_same_flood(scene, 20),
    )
    for (codes,) in floods.found:
        demand_codes(scene, "floods", codes, {0})


def say_nothing(scene: Scene) -> None:
    """2,000 silent connections."""
    count = scene.times(2000, 30)
    for (codes,) in alternating(scene, lambda place: silent(place, count, scene.limit(HEADER_SECONDS * 2))).found:
        demand_codes(scene, "silent connections", codes, {1006, 4001})


def say_nonsense(scene: Scene) -> None:
    for (codes,) in alternating(scene, malformed, beside=[the_same_visits]).found:
        for kind, code in codes.items():
            demand_codes(scene, kind, [code], MALFORMED[kind])


def behave_badly(scene: Scene) -> None:
    """One slow, one flooding, silent ones and malformed ones, all at once."""
    rounds = alternating(
        scene,
        lambda place: slow_readers(place, 1, scene.times(4, 0)),
        lambda place: flood(place, FLOOD_PER_SECOND, scene.times(15, 2)),
        lambda place: silent(place, 3, scene.limit(HEADER_SECONDS * 2)),
        malformed,
        beside=[the_same_talk(scene, 1), *the_same_flood(scene, 15), the_same_visits],
    )
    for slow, loud, mute, nonsense in rounds.found:
        demand_codes(scene, "a slow reader", slow, {4008})
        demand_codes(scene, "a flood", loud, {0})
        demand_codes(scene, "silent connections", mute, {1006, 4001})
        for kind, code in nonsense.items():
            demand_codes(scene, kind, [code], MALFORMED[kind])


def say_it_again(scene: Scene) -> None:
    """The same `ref` from all tabs of a person, over different hubs, twice, and after a reconnect."""
    scene.strike()
    for _ in range(scene.times(100, 5)):
        scene.load.ask("replay", count=2)
        scene.wait(0.2, 0.2)
    scene.load.ask("drop", share=0.3, within=1)
    scene.load.ask("replay", count=2)
    scene.everybody_is_back()
    scene.over()
    scene.demand_no_errors()


def lose_access(scene: Scene) -> None:
    """During the load one operator signs out and one is deactivated: their consoles end, the others go on."""
    scene.strike()
    last = len(scene.load.plan.operators) - 1
    scene.load.ask("sign_out", number=last)
    email = scene.load.plan.operators[last - 1][0]
    scene.stage.desk.command("operator", "deactivate", "--email", email)
    scene.load.ask("revoked", number=last - 1)
    started = monotonic()
    scene.load.ask("gone", numbers=[last, last - 1], seconds=scene.limit(REVOKED_SECONDS))
    took = monotonic() - started
    scene.over()
    scene.wait(60, 1)
    scene.demand_now("sockets of who lost access end within 5 s", took <= scene.limit(REVOKED_SECONDS), f"{took:.1f} s")


def come_and_go(scene: Scene) -> None:
    """A soak: visitors come and leave all the time, every other by RST."""
    scene.strike()
    before = scene.stage.usage()
    rows = presence_rows(scene)
    samples = [before.rss]
    for _ in range(scene.times(120, 4)):
        scene.load.ask("churn", count=scene.times(20, 5))
        scene.wait(5, 0.8)
        samples.append(scene.stage.usage().rss)
    scene.over()
    scene.everybody_is_back()
    scene.wait(30, 1)
    after = scene.stage.usage()
    grown = (after.rss - samples[len(samples) // 5]) / 1024 / 1024
    few = len(scene.stage.hubs) * 6
    scene.demand_now("memory is back at base", grown <= (30 if scene.short else 10), f"RSS +{grown:.1f} MB")
    scene.demand_now(
        "descriptors are back at base",
        after.descriptors - before.descriptors <= few,
        f"descriptors {before.descriptors} → {after.descriptors}",
    )
    tasks = after.tasks - before.tasks
    scene.demand_now("tasks are", tasks <= 3 * few, f"tasks {before.tasks} → {after.tasks}")
    scene.demand_now("rows of presence are", presence_rows(scene) <= rows, f"{rows} → {presence_rows(scene)} present")
    scene.demand_no_errors()


def presence_rows(scene: Scene) -> int:
    return scene.stage.count("presence")


CELLS = [
    *cells(17, "one of each bad kind at once", behave_badly, ("L1",), BOTH),
    *cells(17, "100 slow readers", read_nothing, ("L1",), BOTH, in_short=False),
    *cells(17, "a flood of 1,000 messages/s", say_too_much, ("L1",), BOTH, in_short=False),
    *cells(17, "2,000 silent connections", say_nothing, ("L1",), BOTH, in_short=False),
    *cells(17, "malformed frames", say_nonsense, ("L1",), BOTH, in_short=False),
    *cells(20, "one ref from all tabs, replayed", say_it_again, ("L1",), BOTH),
    *cells(23, "sign-out and deactivation", lose_access, ("L1",), BOTH, in_short="postgresql"),
    *cells(24, "soak of 10 minutes with churn and RST", come_and_go, ("L1",), BOTH, in_short="postgresql"),
    *cells(24, "soak of 10 minutes with churn and RST", come_and_go, ("L2",), ("postgresql",), in_short=False),
]
