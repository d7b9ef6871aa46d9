"""Time that passes in a moment: what is in the rows of the demo happened earlier."""

from datetime import timedelta

from sqlalchemy import update
from sqlmodel import SQLModel, col, select

import escalation.app  # noqa: F401 — with it all tables are known
from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from escalation.models import SlaClock, Ticket
from tests.support.demo import DemoProgram


async def all_earlier(demo: DemoProgram, minutes: int) -> None:
    """All that was said was said so much earlier."""
    db = Database(f"sqlite:///{demo.folder}/demo/nightdesk.sqlite3")
    earlier = timedelta(minutes=minutes)
    try:
        async with db.write() as session:
            talks = (await session.exec(select(Conversation).where(Conversation.state == "active"))).all()
            for talk in talks:
                talk.created_at -= earlier
                _move(talk, ("waiting_since", "last_message_at"), earlier)
                rows = table_of(Message)
                said = (
                    await session.exec(select(Message.id, Message.at).where(Message.conversation_id == talk.id))
                ).all()
                for message_id, at in said:
                    await session.execute(update(rows).where(rows.c.id == message_id).values(at=at - earlier))
            for clock in await session.exec(select(SlaClock).where(SlaClock.state == "running")):
                clock.started_at -= earlier
                _move(clock, ("due_at", "breach_at", "next_at"), earlier)
            for ticket in await session.exec(select(Ticket).where(col(Ticket.open).is_(True))):
                ticket.created_at -= earlier
                _move(ticket, ("due_at", "waiting_since"), earlier)
    finally:
        await db.close()


def _move(row: SQLModel, names: tuple[str, ...], earlier: timedelta) -> None:
    for name in names:
        at = getattr(row, name)
        setattr(row, name, at - earlier if at else None)
