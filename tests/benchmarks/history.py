"""Pages of a conversation with 100,000 messages, as a console and as a widget read them: found, rendered, encoded.

Peer: the same page by OFFSET. Beside it the inbox of a desk with 50,000 open conversations, as JSON with its rows.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from chat.app import Nightdesk
from chat.console.inbox import departments_of, inbox_rows
from chat.conversations.models import Message
from chat.conversations.presenter import Audience
from chat.db import Database, table_of
from chat.hub.connection import Connection
from chat.hub.feed import FeedKey
from chat.migrations import schema
from chat.people.models import Operator
from chat.settings import load_settings
from chat.sockets.paging import FIRST_PAGE, PAGE_ROWS, StreamReader
from tests.support.crowd import gather, long_conversation
from tests.support.databases import PostgresMaker
from tests.support.servers import DurablePostgres
from tests.support.sockets import MemoryTransport

MESSAGES = 100_000
OPEN = 50_000
PAGES = 40
POSITIONS = {"first": 0, "middle": MESSAGES // 2, "last": MESSAGES - PAGE_ROWS}


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {"messages": MESSAGES, "rows_per_page": PAGE_ROWS, "open_conversations": OPEN}
    with tempfile.TemporaryDirectory(prefix="nightdesk-history-") as folder:
        figures["sqlite"] = asyncio.run(_measure(Path(folder), None))
        with DurablePostgres() as server:
            figures["postgresql"] = asyncio.run(_measure(Path(folder), PostgresMaker(server).make(empty=True)))
    return figures


async def _measure(folder: Path, url: str | None) -> dict[str, Any]:
    settings = load_settings({}, data_dir=folder, database_url=url, secret_key="a key for figures only, not for use")
    desk = Nightdesk(settings)
    await schema.migrate(desk.db)
    now = desk.clock.now()
    crowd = await gather(desk.db, now, waiting=OPEN // 2, active=OPEN // 2, operators=500, ended=OPEN, capacity=100)
    conversation = crowd.waiting[0]
    await long_conversation(desk.db, crowd, conversation, MESSAGES, now)
    figures: dict[str, Any] = {}
    for role in ("operator", "visitor"):
        reader = _reader(desk, conversation, role)
        for name, after in POSITIONS.items():
            figures[f"{role}_{name}_page"] = await _times(lambda reader=reader, after=after: reader.after(after))  # type: ignore[misc]
        figures[f"{role}_opens"] = await _times(lambda reader=reader: reader.resume(0, MESSAGES))  # type: ignore[misc]
        figures[f"{role}_scrolls_back"] = await _times(lambda reader=reader: reader.before(MESSAGES // 2))  # type: ignore[misc]
        reader.leave()
    figures["inbox"] = await _times(lambda: _inbox(desk, crowd.operators[0]))
    figures["peers"] = {"offset": {"middle_page": await _times(lambda: _by_offset(desk.db, conversation))}}
    await desk.db.close()
    return {**figures, "rows_when_opened": FIRST_PAGE}


def _reader(desk: Nightdesk, conversation: UUID, role: str) -> StreamReader:
    connection = Connection(MemoryTransport(), outbound_bytes=1 << 40)
    audience = Audience(role, "en")
    key = FeedKey(conversation, "public")
    return StreamReader(desk.db, desk.hub, desk.presenter, connection, key, audience, None)


async def _inbox(desk: Nightdesk, operator_id: UUID) -> None:
    """What a console fetches: the rows, and each as HTML."""
    async with desk.db.read() as session:
        operator = await session.get_one(Operator, operator_id)
        rows = await inbox_rows(session, operator, await departments_of(session, operator))
    if len(rows) < 100:
        raise RuntimeError(f"{len(rows)} rows")
    for row in rows:
        desk.stream.row_html(row, "en")


async def _by_offset(db: Database, conversation: UUID) -> None:
    rows = table_of(Message)
    statement = (
        select(rows)
        .where(rows.c.conversation_id == conversation, rows.c.stream == "public")
        .order_by(rows.c.seq)
        .offset(MESSAGES // 2)
        .limit(PAGE_ROWS)
    )
    async with db.read() as session:
        (await session.execute(statement)).all()


async def _times(work: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    taken = []
    await work()
    worked = time.process_time()
    for _ in range(PAGES):
        began = time.perf_counter()
        await work()
        taken.append(1000 * (time.perf_counter() - began))
    cpu = 1000 * (time.process_time() - worked) / PAGES
    taken.sort()
    return {
        "p50_ms": round(taken[len(taken) // 2], 1),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 1),
        "cpu_ms": round(cpu, 1),
    }
