"""One cell of the matrix while it runs: a stage, a load on it, and what must hold of its fault."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep

from tests.acceptance.matrix.stage import Judgement, Stage
from tests.support.histories import Ack, read_histories
from tests.support.load.control import Load
from tests.support.measured import percentile

BACK_AT_LAST = 180.0
BUSY = 4.0
"""A short run shares the machine with everything else: its limits of time are so many times the contract's."""


class NotHere(Exception):
    """This cell cannot be produced on this machine; the message says why."""


@dataclass
class Scene:
    stage: Stage
    load: Load
    load_name: str
    began: float = field(default_factory=monotonic)
    struck: float = 0.0
    """When the fault began; before it is the base to compare with."""
    ended: float = 0.0
    """When its cause was gone."""
    demands: "list[Demand]" = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def short(self) -> bool:
        return self.stage.short

    def limit(self, seconds: float) -> float:
        return seconds * (BUSY if self.short else 1.0)

    def times(self, full: int, short: int = 1) -> int:
        return short if self.short else full

    def wait(self, full: float, short: float) -> None:
        """Time in which the load goes on."""
        sleep(short if self.short else full)

    def strike(self) -> None:
        self.struck = self.struck or monotonic()

    def over(self) -> None:
        self.ended = monotonic()

    def everybody_is_back(self) -> None:
        """Waits for it; how long it may take is a demand."""
        self.load.ask("all_live", seconds=BACK_AT_LAST)

    def spread(self) -> None:
        """Clients on every hub, so that whatever is struck hurts somebody."""
        self.load.ask("spread", seconds=60)

    def wake(self) -> None:
        """In a short run nobody waits out a long pause: as if all had looked at their screens."""
        if self.short:
            self.load.ask("wake")

    def random_moment(self) -> None:
        sleep(self.stage.chance.random() * (0.3 if self.short else 2.0))

    def acknowledged_before(self, at: float) -> set[str]:
        self.load.ask("state")  # has the histories written
        return {
            event.ref
            for _, events in read_histories(self.load.folder)
            for event in events
            if isinstance(event, Ack) and event.t < at
        }

    # ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────

    def demand(self, what: str, holds: "Callable[[Scene, Judgement], tuple[bool, str]]") -> None:
        self.demands.append(Demand(what, holds))

    def demand_back_within(self, seconds: float, share: float = 0.99, *, by_link: bool | None = None) -> None:
        """`by_link=False`: of those whose way did not break by itself; how long the others took is said."""

        def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
            away = percentile(judgement.figures.away(scene.struck, by_link), share)
            says = f"back after {away:.1f} s (p{share * 100:.0f})"
            if by_link is False and (broken := judgement.figures.away(scene.struck, by_link=True)):
                says += f", lines that broke by themselves after {percentile(broken, share):.1f} s"
            return away <= scene.limit(seconds), says

        self.demand(f"lost clients are back within {seconds:.0f} s", holds)

    def demand_added_delay(self, seconds: float) -> None:
        def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
            base = percentile(judgement.figures.shown(scene.began, scene.struck), 0.99)
            during = percentile(judgement.figures.shown(scene.struck, monotonic()), 0.99)
            return during - base <= scene.limit(seconds), f"p99 {base:.2f} → {during:.2f} s"

        self.demand(f"added p99 at most {seconds:.0f} s", holds)

    def demand_longest_delay(self, seconds: float) -> None:
        def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
            longest = max(judgement.figures.shown(scene.struck, monotonic()), default=0.0)
            return longest <= scene.limit(seconds), f"longest {longest:.1f} s"

        self.demand(f"no message takes longer than {seconds:.0f} s", holds)

    def demand_normal_within(self, seconds: float) -> None:
        def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
            late = judgement.figures.normal_again(scene.ended)
            return late <= scene.limit(seconds), f"normal after {late:.1f} s"

        self.demand(f"normal speed {seconds:.0f} s after the end of the fault", holds)

    def demand_no_errors(self, beside: str = "") -> None:
        """`beside`: what is said rightly to people whose line was lost by the fault, and no error."""

        def holds(scene: Scene, judgement: Judgement) -> tuple[bool, str]:
            errors = judgement.figures.errors_since(scene.began)
            rightly = judgement.figures.told_after_loss(beside, scene.struck) if beside else 0
            told = f", {rightly} told {beside}" if rightly else ""
            count = len(errors) - rightly
            return not count, f"{count} errors shown{told}" + (f", as {errors[0]}" if count else "")

        self.demand("no error is shown", holds)

    def demand_felt(self) -> None:
        """A fault that nobody feels proves nothing: lines were lost, or requests refused for a while."""
        before = self.felt()

        def holds(scene: Scene, _judgement: Judgement) -> tuple[bool, str]:
            felt = scene.felt() - before
            return felt > 0, f"felt {felt} times"

        self.demand("somebody feels it", holds)

    def felt(self) -> int:
        counts: dict[str, int] = self.load.ask("state")["counts"]
        return sum(count for name, count in counts.items() if name.startswith(("lost", "refused")))

    def demand_now(self, what: str, value: bool, says: str) -> None:
        """Of what is known already."""
        self.demand(what, lambda _scene, _judgement: (value, says))


@dataclass(frozen=True)
class Demand:
    what: str
    holds: Callable[[Scene, Judgement], tuple[bool, str]]


Fault = Callable[[Scene], None]


@dataclass(frozen=True)
class Cell:
    row: int
    title: str
    load: str
    store: str
    fault: Fault
    in_short: bool = True
    """Whether the test run has this cell; in the short run all loads are the same."""

    @property
    def name(self) -> str:
        return f"{self.row}-{self.fault.__name__}-{self.load}-{self.store}"


def cells(
    row: int, title: str, fault: Fault, loads: Sequence[str], stores: Sequence[str], *, in_short: bool | str = True
) -> list[Cell]:
    """Of several loads the first is in the test run; `in_short` may name the one store that is."""
    return [
        Cell(row, title, load, store, fault, load == loads[0] and in_short in (True, store))
        for load in loads
        for store in stores
    ]
