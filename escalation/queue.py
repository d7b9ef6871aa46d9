"""The order of the ticket queue, in one place: list and "take next" share it.

Operators' turn first, high before normal, the nearest due, who waits longest. Pages continue after a key, not after a
number of rows, so nothing is shown twice or left out while the queue moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, tuple_

from chat.db import UTCDateTime, table_of
from chat.ids import parse_id
from escalation.models import Ticket

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for "none": both databases then agree that none comes last."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class QueueKey:
    theirs: int
    priority: int
    due_at: datetime
    waiting_since: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.theirs}.{self.priority}.{_micros(self.due_at)}.{_micros(self.waiting_since)}.{self.id}"


def key_of(ticket: Ticket) -> QueueKey:
    return QueueKey(
        0 if ticket.operators_turn else 1, ticket.priority, ticket.due_at or FAR, ticket.waiting_since or FAR, ticket.id
    )


def parse_key(text: str) -> QueueKey | None:
    """The key behind "more"; None where somebody changed it: the list then begins at its head."""
    parts = text.split(".")
    found = parse_id(parts[-1])
    if len(parts) != 5 or found is None or not all(part.isascii() and part.isdigit() for part in parts[:4]):
        return None
    theirs, priority, due, waiting = (int(part) for part in parts[:4])
    if max(due, waiting) > _micros(FAR) or max(theirs, priority) > 1:
        return None
    return QueueKey(
        theirs, priority, _EPOCH + timedelta(microseconds=due), _EPOCH + timedelta(microseconds=waiting), found
    )


def queue_order() -> Sequence[ColumnElement[Any]]:
    rows = table_of(Ticket).c
    return (
        case((rows.operators_turn.is_(True), 0), else_=1),
        rows.priority,
        func.coalesce(rows.due_at, literal(FAR, UTCDateTime), type_=UTCDateTime),
        func.coalesce(rows.waiting_since, literal(FAR, UTCDateTime), type_=UTCDateTime),
        rows.id,
    )


def after(key: QueueKey) -> ColumnElement[bool]:
    values = (
        literal(key.theirs),
        literal(key.priority),
        literal(key.due_at, UTCDateTime),
        literal(key.waiting_since, UTCDateTime),
        literal(key.id, table_of(Ticket).c.id.type),
    )
    return tuple_(*queue_order()) > tuple_(*values)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
