"""Clocks that jump or disagree: order and leases hang on neither."""

from tests.acceptance.matrix.scene import Scene, cells
from tests.acceptance.matrix.stage import Judgement

HOUR = 3600.0
SKEW = 300.0
BOTH = ("sqlite", "postgresql")


def jump(scene: Scene) -> None:
    """Every hub's clock jumps an hour ahead, then two hours back. A right change to summer time moves no clock of ours:
    they count in UTC."""
    shift_all(scene, [HOUR, -HOUR])


def disagree(scene: Scene) -> None:
    """Two hubs are five minutes apart, and operators come anew to either."""
    scene.strike()
    for number in range(len(scene.stage.hubs)):
        scene.stage.shift_clock(number, SKEW * (number - 1))
    scene.load.ask("drop", share=0.5, within=1)
    scene.everybody_is_back()
    scene.wait(30, 1.5)
    end(scene)


def shift_all(scene: Scene, shifts: list[float]) -> None:
    for seconds in shifts:
        scene.strike()
        for number in range(len(scene.stage.hubs)):
            scene.stage.shift_clock(number, seconds)
        scene.wait(30, 1.5)
    end(scene)


def end(scene: Scene) -> None:
    for number in range(len(scene.stage.hubs)):
        scene.stage.shift_clock(number, 0)
    scene.wait(10, 1)
    scene.over()
    scene.demand_no_errors()

    def nobody_vanished(_scene: Scene, judgement: Judgement) -> tuple[bool, str]:
        returned = sum(row.event == "returned" for rows in judgement.stored.streams.values() for row in rows)
        return returned == 0, f"{returned} conversations were given back"

    scene.demand("no lease ends", nobody_vanished)


CELLS = [
    *cells(19, "clocks jump an hour, as by a wrong change to summer time", jump, ("L1",), BOTH, in_short="sqlite"),
    *cells(19, "hubs five minutes apart", disagree, ("L1",), ("postgresql",)),
]
