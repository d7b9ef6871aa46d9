"""A solved ticket about which nothing was said for so many days is closed, by whichever worker looks first."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import UTCDateTime
from chat.public import Department
from escalation.actions import Tickets
from escalation.change import SYSTEM
from escalation.errors import TicketMoved
from escalation.models import Ticket
from escalation.queue import bounds_of
from escalation.states import DONE, State

ROUND_SECONDS = 600.0
AT_ONCE = 100
NOBODY = UUID(int=0)

log = structlog.get_logger(__name__)


class Closing:
    def __init__(self, tickets: Tickets, days: int) -> None:
        """`days`: how long a solved ticket waits for a message."""
        self._tickets = tickets
        self._days = days

    async def run(self) -> None:
        """Until cancelled. Any number may run."""
        while True:
            try:
                await self.round()
            except Exception:
                # They stay solved until the next round finds them.
                log.warning("solved tickets could not be looked for", exc_info=True)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> int:
        """How many this process closed, each in a transaction of its own."""
        before = self._tickets.clock.now() - timedelta(days=self._days)
        closed, last = 0, NOBODY
        while True:
            async with self._tickets.db.read() as session:
                found = await _over(session, before, last)
            for ticket_id in found:
                try:
                    closed += await self._close(ticket_id, before)
                except TicketMoved:
                    pass  # somebody spoke just now
                except Exception:
                    # One that fails keeps no other open.
                    log.warning("a solved ticket could not be closed", ticket=str(ticket_id), exc_info=True)
            if len(found) < AT_ONCE:
                return closed
            last = found[-1]

    async def _close(self, ticket_id: UUID, before: datetime) -> bool:
        # A closed ticket hears its conversation no more: what was just said there comes first and opens it again.
        await self._tickets.hear_out(ticket_id)
        async with self._tickets.changing(ticket_id, SYSTEM) as change:
            ticket = change.ticket
            # Asked again of the locked row: it may have been opened, or closed by another worker.
            over = ticket.state == State.SOLVED and (ticket.public_at or ticket.changed_at) < before
            if over:
                await change.lead(State.CLOSED, DONE, days=self._days)
        return over


async def _over(session: AsyncSession, before: datetime, last: UUID) -> list[UUID]:
    """After the id `last`. Notes, tags and alarms keep no ticket solved: what its requester sees counts."""
    first, end = bounds_of("solved")
    said_at = func.coalesce(col(Ticket.public_at), col(Ticket.changed_at), type_=UTCDateTime)
    found = await session.exec(
        select(Ticket.id)
        .where(
            # With the department, one index has all that are solved.
            col(Ticket.department_id).in_(select(Department.id)),
            col(Ticket.place) >= first,
            col(Ticket.place) < end,
            said_at < before,
            col(Ticket.id) > last,
        )
        .order_by(col(Ticket.id))
        .limit(AT_ONCE)
    )
    return list(found)
