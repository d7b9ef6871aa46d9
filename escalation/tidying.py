"""Takes away sign-ins, links and leases that are over, in batches, each a transaction of its own."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, delete, or_, select, tuple_

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from escalation.client_area.models import CustomerLink, CustomerLogin
from escalation.customers.models import EmailProof
from escalation.desk_tables import TicketLooker

KEPT = timedelta(days=30)
"""So long after its end a row can still be asked after."""
BATCH = 200


class DeskTidying:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def clean(self) -> int:
        """How many rows went."""
        return sum([await self._delete(table, over) for table, over in _over(self._clock.now())])

    async def _delete(self, table: Table, over: ColumnElement[bool]) -> int:
        key = tuple(table.primary_key.columns)
        count = 0
        while True:
            async with self._db.write() as session:
                found = [tuple(row) for row in await session.execute(select(*key).where(over).limit(BATCH))]
                # Asked again: somebody may have used it in between.
                gone = await session.execute(delete(table).where(tuple_(*key).in_(found), over))
            count += rows_changed(gone)
            if len(found) < BATCH:
                return count
            await asyncio.sleep(0)  # others write between two batches


def _over(now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    links, logins = table_of(CustomerLink), table_of(CustomerLogin)
    proofs, lookers = table_of(EmailProof), table_of(TicketLooker)
    return [
        (links, links.c.expires_at < now - KEPT),
        (logins, or_(logins.c.ended_at < now - KEPT, logins.c.expires_at < now - KEPT)),
        (proofs, proofs.c.expires_at < now - KEPT),
        (lookers, lookers.c.until < now),
    ]
