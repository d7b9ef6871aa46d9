"""The same measurement on SQLite and on a PostgreSQL of its own."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.support.databases import PostgresMaker
from tests.support.servers import DurablePostgres


def on_both(measure: Callable[[str], Awaitable[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """`measure(url)` of an empty database; its figures by the name of the database."""

    async def once(url: str) -> dict[str, Any]:
        return await measure(url)

    with tempfile.TemporaryDirectory(prefix="nightdesk-benchmark-") as folder:
        figures = {"sqlite": asyncio.run(once(f"sqlite:///{Path(folder) / 'benchmark.sqlite3'}"))}
    server = DurablePostgres()
    try:
        server.start()
        figures["postgresql"] = asyncio.run(once(PostgresMaker(server).make(empty=True)))
    finally:
        server.remove()
    return figures
