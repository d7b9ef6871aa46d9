"""Somebody who says one message after the other and keeps account: what was acknowledged, what was refused, how long
it took. A refusal that allows a retry is followed by the same `ref`, as the widget does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from chat.conversations.entry import Author
from chat.conversations.models import PUBLIC, Conversation, Message
from chat.db import Database, table_of
from chat.protocol.errors import Unavailable
from tests.support.parts import Parts


@dataclass
class Talker:
    parts: Parts
    conversation: Conversation
    acknowledged: dict[str, int] = field(default_factory=dict)
    refusals: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def talk(self) -> None:
        """Until cancelled."""
        author = Author("visitor", self.conversation.visitor_id, "Ann")
        number = 0
        while True:
            ref = f"ref-{number:08}"
            try:
                entry = await self.parts.conversations.say(self.conversation.id, author, f"words {number}", ref)
            except Unavailable:
                self.refusals += 1
                await asyncio.sleep(0.05)  # as the widget waits before it tries again
            else:
                self.acknowledged[ref] = entry.seq
                number += 1
            async with self.news:
                self.news.notify_all()

    async def until(self, holds: Callable[[], bool], seconds: float) -> float:
        """How long it took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(holds)
        return time.monotonic() - began

    async def is_heard(self, seconds: float, count: int = 20) -> float:
        """So many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        return await self.until(lambda: len(self.acknowledged) >= wanted, seconds)

    async def is_refused(self, seconds: float) -> float:
        before = self.refusals
        return await self.until(lambda: self.refusals > before, seconds)


@asynccontextmanager
async def talking(parts: Parts) -> AsyncIterator[Talker]:
    """At the end the rows are compared: what was acknowledged is there, once, under its number, without holes."""
    site, _ = await parts.furnish()
    talker = Talker(parts, await parts.conversation(site))
    task = asyncio.create_task(talker.talk())
    try:
        yield talker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await parts.conversations.journal.stop()
    rows = await rows_of(parts.db, talker.conversation.id)
    assert sorted(rows.values()) == list(range(3, 3 + len(rows)))
    assert {ref: rows.get(ref) for ref in talker.acknowledged} == talker.acknowledged
    # What was under way when all ended may be stored without an answer; nothing else.
    assert len(rows) - len(talker.acknowledged) <= 1


async def rows_of(db: Database, conversation_id: UUID) -> dict[str, int]:
    """The refs of messages that were said later, and their numbers."""
    messages = table_of(Message)
    async with db.read() as session:
        found = await session.execute(
            select(messages.c.ref, messages.c.seq).where(
                messages.c.conversation_id == conversation_id, messages.c.stream == PUBLIC, messages.c.seq > 2
            )
        )
        return {row.ref: row.seq for row in found}
