"""Another version beside ours, and proxies in front of us."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.matrix.scene import NotHere, Scene, cells
from tests.support.needs import program
from tests.support.proxies import Nginx
from tests.support.serving import Process

CLUSTER = ("postgresql",)
NEWER = [sys.executable, "-m", "tests.support.newer"]


def mix_versions(scene: Scene) -> None:
    """One hub after the other becomes a newer version, whose frames, fields and news ours does not know; and back."""
    hubs = scene.stage.hubs[: scene.times(len(scene.stage.hubs))]
    ours = [hub.program for hub in hubs]
    for hub in hubs:
        become(scene, hub, NEWER)
    scene.spread()
    scene.wait(30, 1.5)
    for hub, program_before in zip(hubs, ours, strict=True):
        become(scene, hub, program_before)
    scene.over()
    scene.everybody_is_back()
    scene.demand_back_within(2.0, 0.95)
    scene.demand_no_errors()
    scene.notes.append("the newer one is ours with unknown fields, frames and news: there is no other release yet")


def become(scene: Scene, hub: Process, version: list[str]) -> None:
    scene.strike()
    hub.end(signal.SIGTERM)
    hub.program = version
    hub.start()


@contextmanager
def behind_nginx(scene: Scene) -> Iterator[Nginx]:
    """All sockets go through nginx."""
    try:
        program("nginx")
    except RuntimeError as error:
        raise NotHere(str(error)) from error
    nginx = Nginx()
    try:
        nginx.configure([hub.port for hub in scene.stage.hubs])
        nginx.start()
        scene.load.ask("by_proxy", url=nginx.base_url, seconds=60)
        yield nginx
        scene.load.ask("links", share=0.0, conduct={}, seconds=60)
    finally:
        nginx.remove()


def go_by_nginx(scene: Scene) -> None:
    """It cuts what is idle for long; then it reads its configuration anew."""
    with behind_nginx(scene) as nginx:
        before = scene.felt()
        scene.strike()
        scene.wait(100, 2)
        scene.demand_now("no line is cut", scene.felt() == before, f"{scene.felt() - before} cut")
        nginx.reload()
        scene.wait(15, 1)
        scene.over()
    scene.everybody_is_back()
    scene.demand_back_within(2.0, 0.95)
    scene.demand_no_errors()


def restart_behind_nginx(scene: Scene) -> None:
    with behind_nginx(scene):
        for _ in range(scene.times(3)):
            for hub in scene.stage.hubs[: scene.times(len(scene.stage.hubs))]:
                scene.strike()
                hub.end(signal.SIGTERM)
                hub.start()
        scene.over()
        scene.everybody_is_back()
    scene.demand_back_within(2.0, 0.95)
    scene.demand_no_errors()


CELLS = [
    *cells(4, "rolling restart behind nginx, three rounds", restart_behind_nginx, ("L1",), CLUSTER, in_short=False),
    *cells(16, "nginx: idle for 100 s, reload", go_by_nginx, ("L0", "L1"), CLUSTER),
    *cells(25, "a newer version beside ours, and back", mix_versions, ("L1",), CLUSTER),
]
