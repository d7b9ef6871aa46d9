"""Times and counts out of histories: send to shown, how long lines were lost, what people saw of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.histories import AnyEvent, Error, Gone, Invoke, Live, Lost, Shown, Who

SLOW_SECONDS = 1.0
"""A message that takes longer is not at normal speed."""


@dataclass
class Figures:
    """`delays`: when each message was due, and seconds until the other side first showed it."""

    delays: list[tuple[float, float]] = field(default_factory=list)
    absences: list[tuple[float, float, bool]] = field(default_factory=list)
    """When a line was lost, seconds until its client was live again, and whether its way broke by itself."""
    errors: list[tuple[float, str, float]] = field(default_factory=list)
    """When, what, and when the line of who was told so was lost last; 0 for never."""
    messages: int = 0

    def shown(self, start: float, end: float) -> list[float]:
        return sorted(delay for due, delay in self.delays if start <= due < end)

    def errors_since(self, start: float) -> list[str]:
        return [text for at, text, _ in self.errors if at >= start]

    def told_after_loss(self, text: str, since: float) -> int:
        """How often people whose line was lost since then were told so."""
        return sum(one == text and lost >= since for _, one, lost in self.errors)

    def away(self, start: float, by_link: bool | None = None) -> list[float]:
        """Of all, or only of those whose way broke by itself, or of all others."""
        return sorted(seconds for at, seconds, own in self.absences if at >= start and by_link in (None, own))

    def normal_again(self, since: float) -> float:
        """Seconds after `since` until no message that was due later took long."""
        slow = [due for due, delay in self.delays if due >= since and delay > SLOW_SECONDS]
        return max(slow) - since if slow else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values; 0 of none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def figures_of(histories: Sequence[tuple[str, list[AnyEvent]]]) -> Figures:
    figures = Figures()
    due: dict[str, tuple[str, float]] = {}
    for _, events in histories:
        kind = _kind(events)
        for event in events:
            if isinstance(event, Invoke):
                due.setdefault(event.ref, (kind, event.t))
    figures.messages = len(due)
    first: dict[str, float] = {}
    for _, events in histories:
        kind, lost = _kind(events), 0.0
        for event in events:
            if isinstance(event, Lost):
                lost = event.t
            if isinstance(event, Shown) and event.ref in due and due[event.ref][0] != kind:
                first[event.ref] = min(first.get(event.ref, event.t), event.t)
            elif isinstance(event, Error):
                figures.errors.append((event.t, event.text, lost))
        figures.absences += _absences(events)
    figures.delays = sorted((due[ref][1], at - due[ref][1]) for ref, at in first.items())
    return figures


def _kind(events: Sequence[AnyEvent]) -> str:
    return next((event.kind for event in events if isinstance(event, Who)), "")


def _absences(events: Sequence[AnyEvent]) -> list[tuple[float, float, bool]]:
    found = []
    lost: Lost | None = None
    for event in events:
        match event:
            case Lost():
                lost = event if lost is None else lost
            case Live() if lost is not None:
                found.append((lost.t, event.t - lost.t, lost.by_link))
                lost = None
            case Gone():
                lost = None
            case _:
                pass
    return found
