"""The order of the ticket queue: no normal ticket stands before a waiting high one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.models import Ticket
from escalation.queue import FAR, Standing, parse_place, place_of
from escalation.states import HIGH, NORMAL

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TIMES = st.none() | st.integers(-5000, 5000).map(lambda seconds: NOON + timedelta(seconds=seconds))


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    number = draw(st.integers(1, 10**9))
    return Ticket(
        id=UUID(int=number),
        number=f"T-26-{number:06}",
        department_id=UUID(int=1),
        state="open",
        contact_channel="chat",
        subject="Something",
        environment={},
        created_at=NOON,
        changed_at=NOON,
        priority=draw(st.sampled_from([HIGH, NORMAL])),
        operators_turn=draw(st.booleans()),
        due_at=draw(TIMES),
        waiting_since=draw(TIMES),
    )


@given(st.lists(tickets(), max_size=30))
def test_no_normal_ticket_stands_before_a_high_one_that_waits(queue: list[Ticket]) -> None:
    ordered = sorted(queue, key=place_of)
    waiting = [ticket.priority for ticket in ordered if ticket.operators_turn]
    assert waiting == sorted(waiting)
    assert all(ticket.operators_turn for ticket in ordered[: len(waiting)])


@given(st.lists(tickets(), min_size=2, max_size=30))
def test_of_equals_the_nearer_due_comes_first_and_none_last(queue: list[Ticket]) -> None:
    ordered = sorted(queue, key=place_of)
    for first, second in pairwise(ordered):
        if (first.operators_turn, first.priority) == (second.operators_turn, second.priority):
            assert (first.due_at or FAR) <= (second.due_at or FAR)


@given(tickets())
def test_the_place_of_a_page_reads_back(ticket: Ticket) -> None:
    standing = parse_place(place_of(ticket))
    assert standing is not None
    assert standing.place == place_of(ticket)
    assert standing.id == ticket.id


@given(tickets(), st.integers(0, 5000))
def test_what_is_solved_stands_behind_all_that_is_open_and_the_newest_first(ticket: Ticket, seconds: int) -> None:
    solved, older = ticket.model_copy(), ticket.model_copy()
    for one in (solved, older):
        one.open, one.state = False, "solved"
    older.changed_at = solved.changed_at - timedelta(seconds=seconds + 1)
    assert place_of(ticket) < place_of(solved) < place_of(older)


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "0" * 70, "9" + "0" * 70, "0" * 39 + "g" * 32, "²" * 71, "009" + "9" * 36 + "0" * 32]
)
def test_a_place_that_somebody_changed_begins_at_the_head(text: str) -> None:
    assert parse_place(text) is None


@given(st.text(max_size=80))
def test_no_place_raises(text: str) -> None:
    found = parse_place(text)
    assert found is None or isinstance(found, Standing)
