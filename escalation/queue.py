"""The order of service, in one place: list and "take next" share it.

Operators' turn first, high before normal, the nearest due, who waits longest. A `place` says all of it as text that
sorts: one index answers a page of any lane, and pages continue after a place, not after a number of rows, so nothing is
shown twice or left out while the queue moves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import event
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.models import Ticket
from escalation.states import State

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for "none", which comes last."""
Lane = Literal["open", "solved", "closed", "spam"]
LANES: dict[Lane, str] = {"open": "0", "solved": "1", "closed": "2", "spam": "3"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 18
"""Of microseconds until FAR."""
_PLACE = re.compile(r"([0123])([01])([01])(\d{18})(\d{18})([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """Of a conversation or ticket in the lane `open`; `theirs` and `priority` are 0 or 1."""

    theirs: int
    priority: int
    due_at: datetime
    waiting_since: datetime
    id: UUID

    @property
    def place(self) -> str:
        turn = f"{LANES['open']}{self.theirs}{self.priority}"
        return f"{turn}{_micros(self.due_at)}{_micros(self.waiting_since)}{self.id.hex}"


def place_of(ticket: Ticket) -> str:
    """Of what is solved or closed the newest change stands first."""
    if ticket.open:
        theirs = 0 if ticket.operators_turn else 1
        return Standing(theirs, ticket.priority, ticket.due_at or FAR, ticket.waiting_since or FAR, ticket.id).place
    lane = LANES["solved" if ticket.state == State.SOLVED else "spam" if ticket.closed_reason == "spam" else "closed"]
    ago = f"{_micros_of(FAR) - _micros_of(ticket.changed_at):0{_DIGITS}d}"
    return f"{lane}00{ago}{0:0{_DIGITS}d}{ticket.id.hex}"


def parse_place(text: str) -> Standing | None:
    """What "more" continues after; None where somebody changed it: the list then begins at its head."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    _lane, theirs, priority, due, waiting, identity = found.groups()
    if max(int(due), int(waiting)) > _micros_of(FAR):
        return None
    return Standing(int(theirs), int(priority), _instant(due), _instant(waiting), UUID(identity))


def bounds_of(lane: Lane) -> tuple[str, str]:
    """From, and up to without: all places of the lane."""
    first = LANES[lane]
    return first, str(int(first) + 1)


@event.listens_for(Ticket, "before_insert")
@event.listens_for(Ticket, "before_update")
def _put_in_place(_mapper: Any, _connection: Any, ticket: Ticket) -> None:
    """Whoever changes what a place is made of, the place follows."""
    if (place := place_of(ticket)) != ticket.place:
        ticket.place = place


async def put_in_place(session: AsyncSession, tickets: Sequence[UUID]) -> None:
    """What another program is changing comes in the next round."""
    found = select(Ticket).where(col(Ticket.id).in_(tickets)).with_for_update(skip_locked=True)
    for ticket in await session.exec(found):
        ticket.place = place_of(ticket)


def _micros(at: datetime) -> str:
    return f"{_micros_of(at):0{_DIGITS}d}"


def _micros_of(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


NO_DUE = _micros(FAR)
"""In a place, behind turn and priority."""


def _instant(micros: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))
