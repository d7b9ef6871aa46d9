"""The states of a ticket, who may lead where, and what the requester reads (tickets of the design, section 1)."""

from enum import StrEnum

from chat.strings import Catalogue

HIGH, NORMAL = 0, 1
DONE = "done"
"""Why a ticket is closed that was neither spam nor merged."""
TEXT_LIMIT = 10_000
"""The same as of a message in a conversation, so that a reply fits into every window."""
SUBJECT_LIMIT = 200


class State(StrEnum):
    NEW = "new"
    OPEN = "open"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_THIRD_PARTY = "waiting_third_party"
    SOLVED = "solved"
    CLOSED = "closed"


LIVE = frozenset({State.NEW, State.OPEN, State.WAITING_CUSTOMER, State.WAITING_THIRD_PARTY})
_NEXT: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.OPEN, State.WAITING_CUSTOMER, State.WAITING_THIRD_PARTY, State.SOLVED, State.CLOSED}),
    State.OPEN: frozenset({State.WAITING_CUSTOMER, State.WAITING_THIRD_PARTY, State.SOLVED, State.CLOSED}),
    State.WAITING_CUSTOMER: frozenset({State.OPEN, State.WAITING_THIRD_PARTY, State.SOLVED, State.CLOSED}),
    State.WAITING_THIRD_PARTY: frozenset({State.OPEN, State.WAITING_CUSTOMER, State.SOLVED, State.CLOSED}),
    State.SOLVED: frozenset({State.OPEN, State.CLOSED}),
    State.CLOSED: frozenset(),
}


def next_states(state: State) -> list[State]:
    """Where an operator may lead it from here, in the order they are offered."""
    return [candidate for candidate in State if candidate in _NEXT[state]]


def may_follow(state: State, target: State) -> bool:
    return target in _NEXT[state]


def operators_word(state: str, c: Catalogue) -> str:
    match State(state):
        case State.NEW:
            return c.gettext("New")
        case State.OPEN:
            return c.gettext("In progress")
        case State.WAITING_CUSTOMER:
            return c.gettext("Waiting for customer")
        case State.WAITING_THIRD_PARTY:
            return c.gettext("Waiting for third party")
        case State.SOLVED:
            return c.gettext("Solved")
        case State.CLOSED:
            return c.gettext("Closed")


def requesters_word(state: str, c: Catalogue) -> str:
    match State(state):
        case State.NEW:
            return c.gettext("Opened")
        case State.OPEN | State.WAITING_THIRD_PARTY:
            return c.gettext("In progress")
        case State.WAITING_CUSTOMER:
            return c.gettext("Waiting for you")
        case State.SOLVED:
            return c.gettext("Solved")
        case State.CLOSED:
            return c.gettext("Closed")


TONES = {
    State.NEW: "",
    State.OPEN: "accent",
    State.WAITING_CUSTOMER: "warning",
    State.WAITING_THIRD_PARTY: "accent",
    State.SOLVED: "success",
    State.CLOSED: "",
}
