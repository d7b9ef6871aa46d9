"""The order of the ticket queue: no normal ticket stands before a waiting high one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.models import Ticket
from escalation.queue import FAR, QueueKey, key_of, parse_key
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
    ordered = sorted(queue, key=key_of)
    waiting = [ticket.priority for ticket in ordered if ticket.operators_turn]
    assert waiting == sorted(waiting)
    assert all(ticket.operators_turn for ticket in ordered[: len(waiting)])


@given(st.lists(tickets(), min_size=2, max_size=30))
def test_of_equals_the_nearer_due_comes_first_and_none_last(queue: list[Ticket]) -> None:
    ordered = sorted(queue, key=key_of)
    for first, second in pairwise(ordered):
        if (first.operators_turn, first.priority) == (second.operators_turn, second.priority):
            assert (first.due_at or FAR) <= (second.due_at or FAR)


@given(tickets())
def test_the_key_of_a_page_reads_back(ticket: Ticket) -> None:
    key = key_of(ticket)
    assert parse_key(str(key)) == key


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "0.1.2.3.nobody", "9.1.2.3.0198f0c0-0000-7000-8000-000000000000", "a.b.c.d.e", "²." * 4 + "x",
     "0.1.99999999999999999999.3.0198f0c0-0000-7000-8000-000000000000"],
)  # fmt: skip
def test_a_key_that_somebody_changed_begins_at_the_head(text: str) -> None:
    assert parse_key(text) is None


@given(st.text(max_size=60))
def test_no_key_raises(text: str) -> None:
    found = parse_key(text)
    assert found is None or isinstance(found, QueueKey)
