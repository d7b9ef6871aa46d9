"""Who else has a ticket open, and who is writing. Leases of seconds: who vanishes is gone by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import insert_for, table_of
from chat.public import Operator
from escalation.desk_tables import TicketLooker

LEASE = timedelta(seconds=30)
"""An open page says every 12 s that it is there."""
TYPING = timedelta(seconds=6)
"""A page says every 3 s that somebody writes."""


@dataclass(frozen=True, slots=True)
class Looker:
    id: UUID
    name: str
    typing: bool


async def look(session: AsyncSession, ticket_id: UUID, operator_id: UUID, now: datetime, *, typing: bool) -> bool:
    """Whether others see something new by it."""
    rows = table_of(TicketLooker)
    before = await session.get(TicketLooker, (ticket_id, operator_id))
    was_here = before is not None and before.until > now
    typed = before is not None and before.typing_until is not None and before.typing_until > now
    insert = insert_for(session)
    values = {"until": now + LEASE, "typing_until": now + TYPING if typing else None}
    put = insert(rows).values(ticket_id=ticket_id, operator_id=operator_id, **values)
    await session.execute(put.on_conflict_do_update(index_elements=["ticket_id", "operator_id"], set_=values))
    return not was_here or typed != typing


async def leave(session: AsyncSession, ticket_id: UUID, operator_id: UUID) -> None:
    rows = table_of(TicketLooker)
    await session.execute(delete(rows).where(rows.c.ticket_id == ticket_id, rows.c.operator_id == operator_id))


async def lookers(session: AsyncSession, ticket_id: UUID, but: UUID, now: datetime) -> Sequence[Looker]:
    """`but`: who asks. By name."""
    found = await session.exec(
        select(TicketLooker, Operator)
        .join(Operator, col(Operator.id) == col(TicketLooker.operator_id))
        .where(
            TicketLooker.ticket_id == ticket_id,
            col(TicketLooker.operator_id) != but,
            col(TicketLooker.until) > now,
            col(Operator.active).is_(True),
        )
        .order_by(col(Operator.name), col(Operator.id))
    )
    return [
        Looker(operator.id, operator.name, row.typing_until is not None and row.typing_until > now)
        for row, operator in found
    ]
