"""Figures of tickets for `/metrics`, read by the index of the queue: only what is open is touched."""

from prometheus_client.core import Metric
from sqlalchemy import func
from sqlmodel import col, select

from chat.db import Database
from chat.metrics import names
from chat.metrics.families import Labels, counter, gauge
from chat.public import Department
from chat.tally import Counts
from escalation.models import Ticket

PRIORITIES = ("high", "normal")


class TicketFigures:
    """`read` asks the rows and is the same in every process; `counted` is what this one did."""

    def __init__(self, db: Database, breaches: Counts) -> None:
        self._db = db
        self._breaches = breaches

    async def read(self) -> list[Metric]:
        async with self._db.read() as session:
            slugs = {row[0]: row[1] for row in await session.exec(select(Department.id, Department.slug))}
            found = await session.exec(
                select(Ticket.department_id, Ticket.priority, func.count())
                .where(col(Ticket.open).is_(True))
                .group_by(col(Ticket.department_id), col(Ticket.priority))
            )
            open_ones: dict[Labels, float] = {(slug, name): 0 for slug in slugs.values() for name in PRIORITIES}
            for department, priority, count in found:
                open_ones[slugs[department], PRIORITIES[min(max(priority, 0), 1)]] += count
        return [gauge(names.TICKETS_OPEN, open_ones)]

    def counted(self) -> list[Metric]:
        return [counter(names.SLA_BREACHES, self._breaches)]
