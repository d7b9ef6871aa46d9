"""Work that must go on as long as the process does: whatever ends it begins it again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled. A loop that died in silence would leave a process that serves and does half of its work."""
    while True:
        try:
            await work()
            log.error("a task ended", task=name)
        except Exception:
            log.exception("a task failed", task=name)
        await asyncio.sleep(PAUSE_SECONDS)
