"""The choice of an operator: never somebody full, the least loaded, and nobody is left out for good."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chat.pairing.routing import Candidate, choose

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def candidates() -> st.SearchStrategy[list[Candidate]]:
    one = st.builds(
        Candidate,
        operator_id=st.integers(0, 2**64).map(lambda n: UUID(int=n)),
        load=st.integers(0, 6),
        capacity=st.integers(1, 5),
        missed=st.integers(0, 3),
        assigned_at=st.none() | st.integers(0, 1000).map(lambda s: NOW + timedelta(seconds=s)),
    )
    return st.lists(one, max_size=8, unique_by=lambda candidate: candidate.operator_id)


@given(candidates())
def test_never_somebody_full_and_never_nobody_while_there_is_room(found: list[Candidate]) -> None:
    choice = choose(found)
    free = {one.operator_id: one for one in found if one.load < one.capacity}
    assert (choice is None) == (not free)
    if choice is not None:
        chosen = free[choice.operator_id]
        assert chosen.missed == min(one.missed for one in free.values())
        peers = [one for one in free.values() if one.missed == chosen.missed]
        assert chosen.load / chosen.capacity == min(one.load / one.capacity for one in peers)
        assert (choice.reason.of, choice.reason.load) == (len(free), chosen.load)


@given(candidates())
def test_the_order_of_the_candidates_does_not_matter(found: list[Candidate]) -> None:
    shuffled = sorted(found, key=lambda one: one.operator_id.int % 7)
    assert choose(shuffled) == choose(found)


def test_whoever_missed_it_gets_it_again_when_alone() -> None:
    alone = Candidate(UUID(int=1), 0, 1, missed=5, assigned_at=NOW)
    assert choose([alone]) is not None
    fresh = Candidate(UUID(int=2), 4, 5, missed=0, assigned_at=NOW)
    choice = choose([alone, fresh])
    assert choice is not None
    assert choice.operator_id == fresh.operator_id
