"""How mail stands: what waits and since when, what was refused. Asked of the rows, so all processes say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.mail.models import MailOut

GOING = ("waiting", "deferred", "sending")
LATE = timedelta(minutes=5)
"""What is due for longer does not go out: the server takes nothing, or nobody works."""
RECENT = timedelta(days=1)
MOST = 1000
"""Counted so far; more is many."""


@dataclass(frozen=True, slots=True)
class Standing:
    waiting: int
    """Of those that are due."""
    oldest_at: datetime | None
    refused: int
    """In the last day, for good."""

    def is_late(self, now: datetime) -> bool:
        return self.oldest_at is not None and now - self.oldest_at > LATE


async def standing(session: AsyncSession, now: datetime) -> Standing:
    due = select(MailOut.next_at).where(MailOut.state == "waiting", MailOut.next_at <= now).limit(MOST).subquery()
    waiting, oldest = (await session.exec(select(func.count(), func.min(due.c.next_at)).select_from(due))).one()
    gone = (
        select(MailOut.id)
        .where(col(MailOut.state).in_(("bounced", "failed")), MailOut.next_at > now - RECENT - timedelta(minutes=10))
        .where(MailOut.changed_at > now - RECENT)
        .limit(MOST)
        .subquery()
    )
    refused = (await session.exec(select(func.count()).select_from(gone))).one()
    return Standing(waiting, oldest, refused)


async def latest(session: AsyncSession, states: Sequence[str], limit: int = 50) -> list[MailOut]:
    """The newest of these states; of all where none is named."""
    statement = select(MailOut).order_by(col(MailOut.id).desc()).limit(limit)
    if states:
        statement = statement.where(col(MailOut.state).in_(states))
    return list((await session.exec(statement)).all())
