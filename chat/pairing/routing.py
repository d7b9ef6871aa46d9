"""The choice of an operator. Pure: candidates in, one out, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from chat.pairing.reasons import Reason

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operator of the department who is present, online and below capacity."""

    operator_id: UUID
    load: int
    capacity: int
    missed: int
    """Offers of this very conversation that were missed or declined."""
    assigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    operator_id: UUID
    reason: Reason


def choose(candidates: Sequence[Candidate], among: int | None = None) -> Choice | None:
    """Who has not yet passed this conversation on comes first, then the least loaded (share of capacity), then who
    has waited longest for one. Nobody is left out for good, so nobody starves.

    `among`: how many there were, where `candidates` are only the best of them.
    """
    fit = [candidate for candidate in candidates if candidate.load < candidate.capacity]
    if not fit:
        return None
    best = min(
        fit,
        key=lambda one: (one.missed, one.load / one.capacity, one.assigned_at or _NEVER, one.operator_id),
    )
    reason = Reason("least-busy", among or len(fit), best.load, best.capacity, best.missed)
    return Choice(best.operator_id, reason)
