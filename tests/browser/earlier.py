"""Time that passes in a moment: what is in the rows of the demo happened earlier."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import select

import escalation.app  # noqa: F401 — with it all tables are known
from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from escalation.models import SlaClock
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
                since: datetime | None = talk.waiting_since
                talk.waiting_since = since - earlier if since else None
                rows = table_of(Message)
                said = (
                    await session.exec(select(Message.id, Message.at).where(Message.conversation_id == talk.id))
                ).all()
                for message_id, at in said:
                    await session.execute(update(rows).where(rows.c.id == message_id).values(at=at - earlier))
            for clock in await session.exec(select(SlaClock).where(SlaClock.state == "running")):
                clock.started_at -= earlier
                for name in ("due_at", "breach_at", "next_at"):
                    at = getattr(clock, name)
                    setattr(clock, name, at - earlier if at else None)
    finally:
        await db.close()
