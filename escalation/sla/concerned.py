"""Which running clocks may concern an operator: each kind by an index of its own, so that whatever rings for others
costs nothing. `alerts` reads what became of them."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, or_, select, union_all

from chat.db import table_of
from chat.public import Conversation
from escalation.models import SlaClock, SlaEvent, Ticket
from escalation.queue import LANES, NO_DUE, bounds_of
from escalation.states import HIGH, NORMAL

_clocks, _events = table_of(SlaClock).c, table_of(SlaEvent).c
_tickets, _talks = table_of(Ticket).c, table_of(Conversation).c
_OF_CLOCK = and_(_events.clock_id == _clocks.id, _events.type.in_(("alarm", "breached")))
_RANG = exists().where(_OF_CLOCK)
"""Which steps is looked at afterwards: what is asked of the data PostgreSQL takes for rare, and reads all for it."""
_BREACH = _events.type == "breached"
_STEP = _events.data["step"].as_string()
_CLOCK = (_clocks.id, _clocks.subject_kind, _clocks.due_at)
_ME: ColumnElement[Any] = bindparam("operator")
_MOST: ColumnElement[Any] = bindparam("most")


@lru_cache(maxsize=64)
def running_for(departments: int, *, on_shift: bool, supervises: bool) -> Select[Any]:
    """(id, subject_kind) of at most `most` clocks, the nearest due first. Its other parameters: `operator`, and of who
    is on shift their departments as `department0` … and all of them as `departments`. Built once: it is sent with each
    page."""
    parts = [*_held()]
    if on_shift:
        parts += [*_offered(), *_of_absent()]
        for n in range(departments):
            parts += _free(bindparam(f"department{n}"))
    if on_shift and supervises:
        parts.append(_part(_all(exists().where(_OF_CLOCK, or_(_BREACH, _STEP.not_in(("assigned", "offer")))))))
    found = union_all(*parts).subquery()
    return (
        select(found.c.id, found.c.subject_kind, found.c.due_at)
        .group_by(found.c.id, found.c.subject_kind, found.c.due_at)
        .order_by(found.c.due_at.is_(None), found.c.due_at, found.c.id)
        .limit(_MOST)
    )


def _held() -> list[Select[Any]]:
    lower, upper = bounds_of("open")
    return [
        _part(_by_ticket(_tickets.operator_id == _ME, _tickets.place >= lower, _tickets.place < upper, _RANG)),
        _part(_by_talk(_talks.operator_id == _ME, _talks.state == "active", _RANG)),
    ]


def _free(department: ColumnElement[Any]) -> list[Select[Any]]:
    """What nobody of a department has. The dues of one priority and turn stand in the order of the index."""
    found = [
        _part(
            _by_ticket(_tickets.department_id == department, _tickets.operator_id.is_(None), *band, _RANG),
            _tickets.place,
        )
        for band in _bands()
    ]
    for priority in (HIGH, NORMAL):
        there = (_talks.department_id == department, _talks.priority == priority)
        found.append(_part(_by_talk(_talks.state == "waiting", *there, _RANG), _talks.waiting_since, _talks.id))
    return found


def _offered() -> list[Select[Any]]:
    """Clocks whose newest offer names them, and conversations that are being offered to somebody."""
    departments = _talks.department_id.in_(bindparam("departments", expanding=True))
    return [
        _part(_all(_clocks.offered_to == _ME)),
        _part(_by_talk(_talks.state == "offered", departments, _RANG)),
    ]


def _of_absent() -> list[Select[Any]]:
    found = []
    for where in (_tickets, _talks):
        departments = where.department_id.in_(bindparam("departments", expanding=True))
        there = exists().where(where.id == _clocks.subject_id, departments)
        found.append(_part(select(*_CLOCK).where(_clocks.absent_at.is_not(None), there)))
    return found


def _part(query: Select[Any], *order: ColumnElement[Any]) -> Select[Any]:
    first = query.order_by(*(order or (_clocks.due_at, _clocks.id))).limit(_MOST).subquery()
    return select(first.c.id, first.c.subject_kind, first.c.due_at)


def _all(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*_CLOCK).where(_clocks.alarmed_at.is_not(None), *conditions)


def _by_ticket(*conditions: ColumnElement[bool]) -> Select[Any]:
    return _from(table_of(Ticket), "ticket", *conditions)


def _by_talk(*conditions: ColumnElement[bool]) -> Select[Any]:
    return _from(table_of(Conversation), "conversation", *conditions)


def _from(table: Table, kind: str, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Running clocks of the rows that fit. The join is an outer one to keep its direction: SQLite, which counts no
    rows, would begin at all clocks there are. What runs has not been met: said by the state, it would look at all that
    run. Without a clock nothing was said."""
    tie = and_(_clocks.subject_kind == kind, _clocks.subject_id == table.c.id, _clocks.met_at.is_(None))
    return select(*_CLOCK).select_from(table.outerjoin(table_of(SlaClock), tie)).where(*conditions)


def _bands() -> list[tuple[ColumnElement[bool], ...]]:
    """Those with a due. The rest, which nothing is promised to, is long."""
    heads = [f"{LANES['open']}{turn}{priority}" for turn in (0, 1) for priority in (HIGH, NORMAL)]
    return [(_tickets.place >= head, _tickets.place < head + NO_DUE) for head in heads]
