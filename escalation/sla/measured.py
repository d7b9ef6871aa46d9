"""How promises were kept in the last 30 days: what the contact page shows beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Conversation
from escalation.models import SlaClock, Ticket
from escalation.sla.policies import FIRST_REPLY

ENOUGH = 20
"""Fewer cases say nothing about the next one."""
DAYS = 30
TICKET_CHANNELS = ("chat", "form")
MAIL_CHANNELS = ("mail",)


@dataclass(frozen=True, slots=True)
class Measured:
    """`n` cases, seconds to the reply for half and for nine of ten, share within the target (0 to 1)."""

    n: int
    p50: int = 0
    p90: int = 0
    share: float = 0

    @property
    def enough(self) -> bool:
        return self.n >= ENOUGH


def measured(cases: Sequence[tuple[float, bool]]) -> Measured:
    """Of (seconds, within the target)."""
    if len(cases) < 2:
        return Measured(len(cases))
    cuts = quantiles([seconds for seconds, _ in cases], n=10, method="inclusive")
    share = sum(within for _, within in cases) / len(cases)
    return Measured(len(cases), round(cuts[4]), round(cuts[8]), share)


async def measure_tickets(session: AsyncSession, channels: Sequence[str], now: datetime) -> Measured:
    """First replies to tickets. A clock past its due without a reply counts as missed, with the time it took so far.
    Cancelled clocks (spam, merged) and tickets opened on the telephone are left out."""
    found = await session.exec(
        select(SlaClock.started_at, SlaClock.due_at, SlaClock.met_at, SlaClock.elapsed_seconds)
        .join(Ticket, col(Ticket.id) == col(SlaClock.subject_id))
        .where(
            SlaClock.subject_kind == "ticket",
            SlaClock.metric == FIRST_REPLY,
            col(SlaClock.state).in_(("running", "met")),
            col(SlaClock.started_at) >= now - timedelta(days=DAYS),
            col(Ticket.contact_channel).in_(channels),
        )
    )
    cases: list[tuple[float, bool]] = []
    for started_at, due_at, met_at, seconds in found:
        if met_at is not None:
            cases.append((seconds or 0, due_at is None or met_at <= due_at))
        elif due_at is not None and now > due_at:
            cases.append(((now - started_at).total_seconds(), False))
    return measured(cases)


async def measure_conversations(session: AsyncSession, target_seconds: int, now: datetime) -> Measured:
    """Times to the first message by a human operator."""
    found = await session.exec(
        select(Conversation.first_reply_seconds).where(
            col(Conversation.first_reply_at) >= now - timedelta(days=DAYS),
            col(Conversation.first_reply_seconds).is_not(None),
        )
    )
    return measured([(seconds, seconds <= target_seconds) for seconds in found if seconds is not None])
