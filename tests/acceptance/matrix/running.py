"""Runs a cell: load, base, fault, quiet, verdict."""

from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from tests.acceptance.matrix.scene import Cell, NotHere, Scene
from tests.acceptance.matrix.stage import Judgement, Stage
from tests.support.judge import VERDICTS
from tests.support.load.control import LoadFailed
from tests.support.measured import percentile

QUIET_SECONDS = 120.0
"""How long the judge waits until nobody has a word left to say; a client pauses 30 s between two tries at most."""


@dataclass
class Result:
    """What is written of a cell; the names are those of the table."""

    row: int
    title: str
    fault: str
    load: str
    store: str
    short: bool
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    holes: int = 0
    misdelivered: int = 0
    recovered_seconds: float | None = None
    p50_ms: float = 0
    p99_ms: float = 0
    p999_ms: float = 0
    base_p99_ms: float = 0
    messages: int = 0
    sockets: int = 0
    errors_shown: int = 0
    rss_before: int = 0
    rss_after: int = 0
    descriptors_before: int = 0
    descriptors_after: int = 0
    load_processor_share: float = 0
    """Of one core: a load that nears 1 measures itself."""
    seed: int = 0
    passed: bool = False
    ran: bool = True
    says: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        found["pass"] = found.pop("passed")
        return found

    @property
    def why(self) -> str:
        return "; ".join(self.says)


def run(cell: Cell, stage: Stage) -> Result:
    result = Result(cell.row, cell.title, cell.fault.__name__, cell.load, cell.store, stage.short, seed=stage.seed)
    scene: Scene | None = None
    try:
        load = stage.load(cell.load)
        before = stage.usage()
        result.rss_before, result.descriptors_before = before.rss, before.descriptors
        scene = Scene(stage, load, cell.load)
        scene.spread()
        scene.began = monotonic()
        used = load.ask("state")["processor_seconds"]
        stage.talk_for(load, cell.load, 0.5 if stage.short else 15.0)
        cell.fault(scene)
        stage.talk_for(load, cell.load, 0.5 if stage.short else 15.0)
        judgement = stage.judge(load, QUIET_SECONDS)
        used = load.ask("state")["processor_seconds"] - used
        result.load_processor_share = round(used / (monotonic() - scene.began), 2)
        _fill(result, scene, judgement)
    except NotHere as error:
        result.ran, result.passed = False, True
        result.says.append(f"not run: {error}")
    except (LoadFailed, OSError, RuntimeError) as error:
        # Whatever else of the stage is in an unknown state now: the next cell gets a new load.
        result.says.append(f"{type(error).__name__}: {error}")
        stage.end_load(gently=False)
    return result


def _fill(result: Result, scene: Scene, judgement: Judgement) -> None:
    now = monotonic()
    for verdict in VERDICTS:
        setattr(result, verdict, sum(one.verdict == verdict for one in judgement.findings))
    figures = judgement.figures
    delays = figures.shown(scene.struck, now)
    result.p50_ms, result.p99_ms, result.p999_ms = (
        round(percentile(delays, share) * 1000, 1) for share in (0.5, 0.99, 0.999)
    )
    result.base_p99_ms = round(percentile(figures.shown(scene.began, scene.struck), 0.99) * 1000, 1)
    away = figures.away(scene.struck)
    result.recovered_seconds = round(max([figures.normal_again(scene.ended or now), *away]), 2)
    result.messages = len(figures.shown(scene.began, now))
    result.errors_shown = len(figures.errors_since(scene.began))
    result.sockets = int(scene.load.ask("state")["sockets"])
    after = scene.stage.usage()
    result.rss_after, result.descriptors_after = after.rss, after.descriptors
    outcomes = [(demand.what, *demand.holds(scene, judgement)) for demand in scene.demands]
    clean = not judgement.findings
    result.passed = clean and all(holds for _, holds, _ in outcomes)
    result.says += [f"{one.verdict}: {one.story[:200]}" for one in judgement.findings[:5]]
    result.says += [says if holds else f"FAILED {what}: {says}" for what, holds, says in outcomes]
    result.says += scene.notes
