"""Faults of our own processes: killed, stopped, restarted in turn."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

from tests.acceptance.matrix.scene import Scene, cells
from tests.support.serving import Process

BOTH = ("sqlite", "postgresql")
CLUSTER = ("postgresql",)
BACK_SECONDS = 15.0


def kill_a_hub(scene: Scene) -> None:
    """kill -9 of one hub at a random moment, again and again."""
    scene.demand_back_within(BACK_SECONDS)
    scene.demand_no_errors()
    kills = scene.times(200, 2)
    for number in range(kills):
        if number % 2 == 0:
            scene.spread()
        scene.random_moment()
        victim = scene.stage.chance.choice(scene.stage.hubs)
        scene.strike()
        scene.stage.kill(victim)
        victim.start()  # as whatever supervises it does
        scene.everybody_is_back()
    scene.over()
    scene.notes.append(f"{kills} kills")


def kill_all(scene: Scene) -> None:
    """kill -9 of all processes at once: what was acknowledged is there, the rest arrives once after the resend."""
    scene.demand_no_errors()
    for _ in range(scene.times(20)):
        scene.random_moment()
        scene.strike()
        for hub in scene.stage.hubs:
            os.kill(hub.pid, signal.SIGKILL)
        for hub in scene.stage.hubs:
            hub.end(signal.SIGKILL)
        scene.wait(2, 0.5)
        start_all(scene.stage.hubs)
        scene.wake()
        scene.everybody_is_back()
    scene.over()


def start_all(hubs: list[Process]) -> None:
    with ThreadPoolExecutor(len(hubs)) as pool:
        list(pool.map(lambda hub: hub.start(), hubs))


def stop_a_hub(scene: Scene) -> None:
    """SIGSTOP of a hub, then SIGCONT: it sleeps over its lease and must act on nothing old."""
    victim = scene.stage.chance.choice(scene.stage.hubs)
    scene.strike()
    os.kill(victim.pid, signal.SIGSTOP)
    try:
        scene.wait(30, 3)
    finally:
        os.kill(victim.pid, signal.SIGCONT)
    scene.over()
    scene.everybody_is_back()
    scene.demand_no_errors()
    scene.demand_normal_within(15)
    if scene.short:
        scene.notes.append("3 s: shorter than a lease")


def restart_in_turn(scene: Scene) -> None:
    """A rolling restart: SIGTERM, the end, a start; one hub after the other."""
    for _ in range(scene.times(3)):
        for hub in scene.stage.hubs:
            scene.strike()
            hub.end(signal.SIGTERM)
            hub.start()
    scene.over()
    scene.everybody_is_back()
    scene.demand_back_within(2.0, 0.95, by_link=False)
    scene.demand_no_errors()


def restart_alone(scene: Scene) -> None:
    """The only process ends by SIGTERM and starts again: there is no elsewhere, but nothing is lost and nobody sees an
    error."""
    for _ in range(scene.times(3)):
        scene.random_moment()
        scene.strike()
        scene.stage.hubs[0].end(signal.SIGTERM)
        scene.stage.hubs[0].start()
        scene.wake()
        scene.everybody_is_back()
    scene.over()
    scene.demand_no_errors()


def return_at_once(scene: Scene) -> None:
    """The storm: all lines break, and everybody is back within 5 s."""
    base = processor_seconds(scene.stage.hubs)
    scene.wait(5, 1)
    base = processor_seconds(scene.stage.hubs) - base
    asked = scene.stage.transactions()
    scene.strike()
    dropped = scene.load.ask("drop", share=1.0, within=scene.times(5, 2))["dropped"]
    scene.everybody_is_back()
    scene.over()
    scene.demand_back_within(20.0, 1.0)
    scene.demand_no_errors()
    scene.notes.append(f"{dropped} lines")
    if asked is not None and (now := scene.stage.transactions()) is not None:
        each = (now - asked) / max(1, dropped)
        # In a short run what the program does by itself is more than what so few clients ask.
        scene.demand_now("2 queries per client at most", scene.short or each <= 2, f"{each:.2f} transactions each")
    if not scene.short:
        until = monotonic() + 30
        busy = float("inf")
        while monotonic() < until and busy > base * 1.5 + 0.5:
            before = processor_seconds(scene.stage.hubs)
            sleep(5)
            busy = processor_seconds(scene.stage.hubs) - before
        scene.demand_now(
            "processor back to base within 30 s", busy <= base * 1.5 + 0.5, f"{base:.1f} → {busy:.1f} s in 5 s"
        )


def processor_seconds(hubs: list[Process]) -> float:
    ticks = 0
    for hub in hubs:
        with open(f"/proc/{hub.pid}/stat", encoding="ascii") as file:  # noqa: PTH123 — no path of ours
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


CELLS = [
    *cells(1, "kill -9 of one hub, again and again", kill_a_hub, ("L1", "L2", "L3"), CLUSTER),
    *cells(2, "kill -9 of all processes at once", kill_all, ("L1",), BOTH),
    *cells(3, "a hub stopped for 30 s", stop_a_hub, ("L1",), CLUSTER),
    *cells(4, "rolling restart, three rounds", restart_in_turn, ("L1", "L2", "L3"), CLUSTER),
    *cells(4, "the only process restarted, three times", restart_alone, ("L1",), ("sqlite",)),
    *cells(18, "the storm", return_at_once, ("L3",), BOTH),
]
