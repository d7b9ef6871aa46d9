"""The one list an operator works: conversations that wait and tickets, in the order of service; and its next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Department, OperatorDepartment
from escalation.queue import Standing, parse_place
from escalation.reach import OperatorReader
from escalation.sla.policies import Policy
from escalation.store import PAGE, QueuedTicket, Wanted, count_of, places, queued
from escalation.waiting import Promises, WaitingConversation, promises_of, standings, waiting_conversations

CANDIDATES = 20
"""So many are tried before "nothing waits": others may take the same ones meanwhile."""


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A conversation or a ticket: one of both."""

    place: str
    ticket: QueuedTicket | None = None
    conversation: WaitingConversation | None = None

    @property
    def is_ours(self) -> bool:
        return self.conversation is not None or (self.ticket is not None and self.ticket.ticket.operators_turn)

    @property
    def priority(self) -> int:
        if self.ticket is not None:
            return self.ticket.ticket.priority
        return self.conversation.standing.priority if self.conversation is not None else 1

    @property
    def due_at(self) -> datetime | None:
        if self.ticket is not None:
            return self.ticket.ticket.due_at
        return self.conversation.standing.due_at if self.conversation is not None else None


@dataclass(frozen=True, slots=True)
class WorkPage:
    rows: Sequence[WorkRow]
    next: str
    """The place to go on after; empty at the end."""


async def work_page(
    session: AsyncSession,
    reader: OperatorReader,
    policies: Sequence[Policy],
    wanted: Wanted,
    *,
    after: str = "",
    limit: int = PAGE,
) -> WorkPage:
    """A key that somebody changed begins at the head."""
    behind = parse_place(after) if after else None
    place = after if behind is not None else ""
    tickets = await places(session, reader, wanted, after=place, limit=limit + 1)
    waiting: dict[str, Standing] = {}
    if wanted.lane == "open":
        found = await standings(
            session,
            reader,
            await _promises(session, policies),
            mine=wanted.mine,
            free=wanted.free,
            department_id=wanted.department_id,
            after=behind,
            limit=limit + 1,
        )
        waiting = {one.place: one for one in found}
    # Of both only what comes on the page is read.
    ordered = sorted([*tickets, *waiting])
    shown = ordered[:limit]
    rows = [
        WorkRow(row.ticket.place, ticket=row)
        for row in await queued(session, [tickets[one] for one in shown if one in tickets])
    ]
    rows += [
        WorkRow(row.place, conversation=row)
        for row in await waiting_conversations(session, [waiting[one] for one in shown if one in waiting])
    ]
    rows.sort(key=lambda row: row.place)
    return WorkPage(rows, shown[-1] if len(ordered) > limit else "")


async def counts(session: AsyncSession, reader: OperatorReader) -> dict[str, int]:
    """Of open tickets, at most a hundred of each."""
    return {
        "open": await count_of(session, reader, Wanted()),
        "mine": await count_of(session, reader, Wanted(mine=True)),
    }


async def free_work(session: AsyncSession, reader: OperatorReader, policies: Sequence[Policy]) -> list[WorkRow]:
    """What this operator could take, the first to serve first: nobody has it, and it is our turn. Of their own
    departments; a supervisor who is in none may take any."""
    found = await session.exec(
        select(OperatorDepartment.department_id).where(OperatorDepartment.operator_id == reader.operator_id)
    )
    own = tuple(found)
    reader = replace(reader, departments=own) if own or not reader.supervises else reader
    page = await work_page(session, reader, policies, Wanted(free=True), limit=CANDIDATES)
    return [row for row in page.rows if row.is_ours]


async def _promises(session: AsyncSession, policies: Sequence[Policy]) -> Promises:
    found: dict[UUID, str] = {row[0]: row[1] for row in await session.exec(select(Department.id, Department.slug))}
    return promises_of(policies, found)
