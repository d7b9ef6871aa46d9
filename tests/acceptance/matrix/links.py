"""Bad ways from clients to hubs: half-open, reset, ended inside a frame, one-way, slow, lossy."""

from typing import Any

from tests.acceptance.matrix.scene import Scene, cells

SHARE = 0.3
"""Of the clients go by the bad way; the others must not notice."""
NOTICED = 35.0
LONGEST_PAUSE = 30.0
"""Between two tries of a client whose way was bad for so long that it has tried often."""
BOTH = ("sqlite", "postgresql")


def lead(scene: Scene, **conduct: Any) -> None:
    scene.load.ask("links", share=SHARE, conduct=conduct, seconds=60)


def lead_back(scene: Scene) -> None:
    scene.load.ask("links", share=0.0, conduct={}, seconds=60)


def orphan_links(scene: Scene) -> None:
    """Both ends stay open and nothing passes: a NAT that forgot. The client notices by silence."""
    lead(scene)
    scene.strike()
    struck = scene.load.ask("strike", what="orphan")["struck"]
    if scene.short:
        scene.wait(4, 4)
        scene.load.ask("strike", what="reset")
        scene.notes.append("cut after 4 s: the 35 s of silence are waited for in full runs")
    scene.everybody_is_back()
    if not scene.short:
        scene.wait(NOTICED + 20, 0)
    scene.over()
    lead_back(scene)
    scene.demand_now("links were orphaned", struck > 0, f"{struck} links")
    scene.demand_longest_delay(NOTICED + 15)
    scene.demand_no_errors()


def reset_links(scene: Scene) -> None:
    lead(scene)
    for _ in range(scene.times(5)):
        scene.strike()
        scene.load.ask("strike", what="reset")
        scene.wait(5, 1)
        scene.everybody_is_back()
    over(scene)


def end_links_in_a_frame(scene: Scene) -> None:
    """FIN when half of a frame has passed."""
    lead(scene)
    for _ in range(scene.times(5)):
        scene.strike()
        scene.load.ask("strike", what="finish")
        scene.wait(5, 1)
        scene.everybody_is_back()
    over(scene)


def hear_only(scene: Scene) -> None:
    """One-way: what clients say vanishes; the hub notices that they are silent."""
    mute(scene, "up")


def speak_only(scene: Scene) -> None:
    """One-way: what the hub says vanishes; the clients notice that it is silent."""
    mute(scene, "down")


def mute(scene: Scene, way: str) -> None:
    lead(scene)
    scene.strike()
    scene.load.ask("behave", conduct={"mute": way})
    scene.wait(NOTICED + 5, 3)
    scene.load.ask("behave", conduct={})
    # What vanished is gone for good on these links: as when the phone changes its network.
    scene.load.ask("strike", what="reset")
    scene.over()
    lead_back(scene)
    scene.everybody_is_back()
    scene.demand_normal_within(LONGEST_PAUSE + 5)
    # An operator whom nobody heard for 45 s has no claim any more to whom others answer now, and is told so.
    scene.demand_no_errors(beside="refused not-yours")


def slow_links(scene: Scene) -> None:
    """256 kbit/s in small slices."""
    lead(scene, rate=32_000, slice_bytes=256)
    scene.strike()
    scene.wait(30, 3)
    over(scene)


def lossy_links(scene: Scene) -> None:
    """5 % of all pieces are sent again, and one in fifty of those breaks its link."""
    lead(scene, loss=0.05, breaks=0.001)
    scene.strike()
    scene.wait(60, 3)
    over(scene)


def over(scene: Scene) -> None:
    scene.over()
    lead_back(scene)
    scene.everybody_is_back()
    scene.demand_normal_within(15)
    scene.demand_no_errors()


CELLS = [
    *cells(14, "links half-open", orphan_links, ("L1",), BOTH, in_short="sqlite"),
    *cells(14, "links reset", reset_links, ("L1",), BOTH, in_short=False),
    *cells(14, "FIN inside a frame", end_links_in_a_frame, ("L1",), BOTH, in_short="postgresql"),
    *cells(14, "links one-way, up", hear_only, ("L1",), BOTH, in_short=False),
    *cells(14, "links one-way, down", speak_only, ("L1",), BOTH, in_short=False),
    *cells(14, "links of 256 kbit/s", slow_links, ("L1",), BOTH, in_short=False),
    *cells(14, "links with 5 % loss", lossy_links, ("L1",), BOTH, in_short=False),
]
