"""The promise `first_reply`: a person answers within ten minutes of the ticket's creation, at any hour (S14)."""

from datetime import datetime, timedelta

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from escalation.models import SlaClock, Ticket

TARGET = timedelta(minutes=10)
METRIC = "first_reply"


def start_first_reply(session: AsyncSession, ticket: Ticket) -> None:
    """Starts at creation, whatever was said before; it never pauses, the promise is unconditional."""
    ticket.due_at = ticket.created_at + TARGET
    session.add(
        SlaClock(
            id=new_id(),
            subject_kind="ticket",
            subject_id=ticket.id,
            metric=METRIC,
            target_seconds=int(TARGET.total_seconds()),
            started_at=ticket.created_at,
            due_at=ticket.due_at,
            state="running",
        )
    )


async def stop_first_reply(session: AsyncSession, ticket: Ticket, at: datetime) -> int | None:
    """Stopped by the first public message of a human operator; seconds it took, None if it did not run.

    A reply in the very second of the due is met.
    """
    clock = await _running(session, ticket)
    if clock is None:
        return None
    clock.state, clock.met_at = "met", at
    clock.elapsed_seconds = max(0, int((at - clock.started_at).total_seconds()))
    if clock.due_at is not None and at > clock.due_at:
        clock.breached_at = clock.due_at
    ticket.first_reply_at, ticket.due_at = at, None
    return clock.elapsed_seconds


async def cancel_first_reply(session: AsyncSession, ticket: Ticket, at: datetime) -> None:
    """Spam and merged: left out of the figures."""
    clock = await _running(session, ticket)
    if clock is not None:
        clock.state, clock.met_at = "cancelled", at
        ticket.due_at = None


async def _running(session: AsyncSession, ticket: Ticket) -> SlaClock | None:
    found = await session.exec(
        select(SlaClock).where(
            SlaClock.subject_kind == "ticket",
            SlaClock.subject_id == ticket.id,
            SlaClock.metric == METRIC,
            SlaClock.state == "running",
        )
    )
    return found.first()
