"""How long until a ticket is solved: the clock `solve`, which promises nothing, alarms nobody and is shown to nobody
outside. It runs from creation, and again from each time the ticket is opened again, and rests in the waiting states."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from escalation.models import SlaClock, Ticket
from escalation.sla.calendars import elapsed
from escalation.sla.clocks import fitting_policy, pauses_of
from escalation.sla.policies import FIRST_REPLY, SOLVE, WAITING


async def start_solve(session: AsyncSession, ticket: Ticket, at: datetime, *, first: bool = False) -> None:
    """`first`: of a ticket that is being opened."""
    policy = await fitting_policy(session, ticket)
    counted = select(func.count()).select_from(SlaClock).where(*_of(ticket.id))
    session.add(
        SlaClock(
            id=new_id(),
            subject_kind="ticket",
            subject_id=ticket.id,
            metric=SOLVE,
            instance=1 if first else (await session.exec(counted)).one() + 1,
            policy_id=policy.id if policy else None,
            policy_version=policy.version if policy else 0,
            target_seconds=0,
            started_at=at,
            state="running",
        )
    )


async def stop_solve(session: AsyncSession, ticket: Ticket, at: datetime, *, counts: bool = True) -> None:
    """Solved, or closed as done. `counts` False, for spam and merged: left out of the figures."""
    running = await session.exec(select(SlaClock).where(*_of(ticket.id), SlaClock.state == "running"))
    policy = await fitting_policy(session, ticket)
    target = policy.targets.get(FIRST_REPLY) if policy else None
    for clock in running:
        clock.state, clock.met_at = ("met" if counts else "cancelled"), at
        clock.elapsed_seconds = max(0, int((at - clock.started_at).total_seconds()))
        if target is not None:
            pauses = await pauses_of(session, ticket, clock.started_at, replace(target, pause_states=WAITING))
            clock.elapsed_seconds = elapsed(target.calendar, clock.started_at, at, pauses)


async def revive_solve(session: AsyncSession, ticket: Ticket, at: datetime) -> None:
    """One that was cancelled then runs on."""
    for clock in await session.exec(
        select(SlaClock).where(*_of(ticket.id), SlaClock.state == "cancelled", SlaClock.met_at == at)
    ):
        clock.state, clock.met_at, clock.elapsed_seconds = "running", None, None


def _of(ticket_id: UUID) -> tuple[bool, bool, bool]:
    return (
        col(SlaClock.subject_kind) == "ticket",
        col(SlaClock.subject_id) == ticket_id,
        col(SlaClock.metric) == SOLVE,
    )  # type: ignore[return-value]
