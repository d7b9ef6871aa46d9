"""The requester's view of where a ticket stands: its way in their words, and the running promise. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chat.strings import Catalogue
from escalation.requesters_store import RequestersTicket
from escalation.sla.policies import FIRST_REPLY
from escalation.states import State, requesters_word

_WAY = (State.NEW, State.OPEN, State.WAITING_CUSTOMER, State.SOLVED)


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of the way: `state` is done, current or ahead."""

    word: str
    standing: str
    at: datetime | None = None
    with_name: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """`kind`: running, late or kept. `seconds`: how long the first reply took. `share` is what is left, 0 to 16."""

    kind: str
    due_at: datetime | None
    seconds: int = 0
    share: float = 0
    metric: str = FIRST_REPLY


def path_of(found: RequestersTicket, c: Catalogue) -> Sequence[Stop]:
    here = _index(State(found.state))
    reached: dict[int, datetime] = {0: found.created_at}
    for event in found.events:
        if event.type == "state":
            reached[_index(State(event.data["to"]))] = event.at
    stops = []
    for index, state in enumerate(_WAY):
        if state is State.WAITING_CUSTOMER and here > index and index not in reached:
            continue  # it never waited for them: a stop that was not made is no part of the way
        standing = "current" if index == here else "done" if index < here else "ahead"
        word = requesters_word(found.state if index == here else state, c)
        with_name = found.operator_name if state is State.OPEN and index <= here else ""
        stops.append(Stop(word, standing, reached.get(index) if index <= here else None, with_name))
    return stops


def promise_of(found: RequestersTicket, now: datetime) -> Promise | None:
    """What is promised next; else what became of the first reply."""
    if found.due_at is not None and found.state not in (State.SOLVED, State.CLOSED):
        since = found.due_since or found.created_at
        left = (found.due_at - now).total_seconds()
        share = round(min(1.0, max(0.0, left / max(1.0, (found.due_at - since).total_seconds()))) * 16, 2)
        metric = found.due_metric or FIRST_REPLY
        return Promise("running" if left >= 0 else "late", found.due_at, share=share, metric=metric)
    if found.first_reply_at is not None and found.first_reply_seconds is not None:
        return Promise("kept", None, found.first_reply_seconds)
    return None


def _index(state: State) -> int:
    match state:
        case State.NEW:
            return 0
        case State.OPEN | State.WAITING_THIRD_PARTY:
            return 1
        case State.WAITING_CUSTOMER:
            return 2
        case State.SOLVED | State.CLOSED:
            return 3
