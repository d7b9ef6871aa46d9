"""States: who may lead where, and in which words each side reads them."""

from itertools import pairwise
from pathlib import Path

import pytest

from chat.strings import Strings
from escalation.sla.durations import clock_text
from escalation.states import LIVE, TONES, State, may_follow, next_states, operators_word, requesters_word

PACKAGES = ("chat", "widget", "escalation")
STRINGS = Strings.load([Path(__file__).parents[2] / package / "strings" for package in PACKAGES])


def test_closed_is_final() -> None:
    assert next_states(State.CLOSED) == []


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_everything_else_can_be_closed(state: State) -> None:
    assert may_follow(state, State.CLOSED)


def test_a_solved_ticket_comes_back_only_as_open() -> None:
    assert next_states(State.SOLVED) == [State.OPEN, State.CLOSED]


def test_nothing_becomes_new_again() -> None:
    assert not any(may_follow(state, State.NEW) for state in State)


def test_solved_and_closed_are_not_live() -> None:
    assert set(State) - LIVE == {State.SOLVED, State.CLOSED}
    assert set(TONES) == set(State)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ["Opened", "In progress", "Waiting for you", "In progress", "Solved", "Closed"]),
        ("sl", ["Odprt", "V obravnavi", "Čaka na vas", "V obravnavi", "Rešen", "Zaprt"]),
    ],
)
def test_the_requester_reads_their_own_words(locale: str, words: list[str]) -> None:
    assert [requesters_word(state, STRINGS.catalogue(locale)) for state in State] == words


def test_operators_tell_the_waiting_states_apart() -> None:
    words = [operators_word(state, STRINGS.catalogue("sl")) for state in State]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (58, "0:58"), (600, "10:00"), (4000, "1:06:40"), (-3, "0:00")]
)
def test_lengths_of_time(seconds: int, text: str) -> None:
    assert clock_text(seconds) == text


def test_the_way_of_a_ticket_exists() -> None:
    way = [State.NEW, State.OPEN, State.WAITING_CUSTOMER, State.OPEN, State.SOLVED, State.OPEN, State.CLOSED]
    assert all(may_follow(first, second) for first, second in pairwise(way))
