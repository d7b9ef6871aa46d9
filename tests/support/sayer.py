"""`python -m tests.support.sayer DATABASE_URL`: says messages until it is killed, and tells each acknowledgement."""

import asyncio
import sys
from uuid import UUID

from chat.clock import SystemClock
from chat.conversations.entry import Author
from chat.db import Database
from tests.support.parts import Parts, running

AT_ONCE = 20


async def main(url: str) -> None:
    db = Database(url)
    async with running(db, SystemClock()) as parts:
        site, _ = await parts.furnish()
        found = await parts.conversation(site)
        await asyncio.gather(*(say(parts, found.id, found.visitor_id, n) for n in range(AT_ONCE)))


async def say(parts: Parts, conversation: UUID, visitor: UUID, sayer: int) -> None:
    number = 0
    while True:
        ref = f"{sayer:03}-{number:08}"
        entry = await parts.conversations.say(conversation, Author("visitor", visitor), "words", ref)
        sys.stdout.write(f"said {conversation} {ref} {entry.seq}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
