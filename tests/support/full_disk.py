"""`python -m tests.support.full_disk FOLDER tmpfs|limit`: says messages until the disk takes no more, then makes room.

With `tmpfs` the folder is a file system of a few megabytes (SQLITE_FULL); with `limit` no file of this process may grow
longer (SQLITE_IOERR). It prints what was acknowledged before, during and after as one JSON object.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

from chat.clock import SystemClock
from chat.conversations.entry import Author
from chat.db import Database
from chat.migrations import schema
from chat.protocol.errors import Unavailable
from tests.support.parts import Parts, running
from tests.support.talker import rows_of

WORDS = "x" * 2000
MOST = 5000


async def fill(folder: Path, how: str) -> dict[str, Any]:
    db = Database(f"sqlite:///{folder / 'full.sqlite3'}")
    await schema.migrate(db)
    filler = folder / "filler"
    async with running(db, SystemClock()) as parts:
        site, _ = await parts.furnish()
        found = await parts.conversation(site)
        if how == "tmpfs":
            filler.write_bytes(b"x" * 1024 * 1024)
        else:
            size = (folder / "full.sqlite3-wal").stat().st_size + 2_000_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        acknowledged: dict[str, int] = {}
        refused = 0
        number = 0
        while refused < 5 and number < MOST:
            refused += not await say(parts, found.id, found.visitor_id, f"ref-{number:08}", acknowledged)
            number += 1
        before = len(acknowledged)
        readable = len(await rows_of(db, found.id))
        if how == "tmpfs":
            filler.unlink()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        after = [await say(parts, found.id, found.visitor_id, f"ref-{n:08}", acknowledged) for n in range(number)]
        rows = await rows_of(db, found.id)
    await db.close()
    return {
        "before": before,
        "refused": refused,
        "readable": readable,
        "said_again": all(after),
        "kept": {ref: rows.get(ref) for ref in acknowledged} == acknowledged,
        "gapless": sorted(rows.values()) == list(range(3, 3 + len(rows))),
    }


async def say(parts: Parts, conversation: Any, visitor: Any, ref: str, acknowledged: dict[str, int]) -> bool:
    try:
        entry = await parts.conversations.say(conversation, Author("visitor", visitor), WORDS, ref)
    except Unavailable:
        return False
    acknowledged[ref] = entry.seq
    return True


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fill(Path(sys.argv[1]), sys.argv[2]))))
