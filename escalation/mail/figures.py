"""Figures of mail for `/metrics`."""

from prometheus_client.core import Metric

from chat.clock import Clock
from chat.db import Database
from chat.metrics import names
from chat.metrics.families import counter, gauge
from chat.tally import Counts
from escalation.mail.standing import standing


class MailFigures:
    """`read` asks the rows and is the same in every process; `counted` is what this one did."""

    def __init__(self, db: Database, clock: Clock, sent: Counts) -> None:
        self._db = db
        self._clock = clock
        self._sent = sent

    async def read(self) -> list[Metric]:
        now = self._clock.now()
        async with self._db.read() as session:
            found = await standing(session, now)
        lag = (now - found.oldest_at).total_seconds() if found.oldest_at else 0.0
        return [gauge(names.MAIL_WAITING, {(): found.waiting}), gauge(names.MAIL_LAG, {(): lag})]

    def counted(self) -> list[Metric]:
        return [counter(names.MAIL_SENT, self._sent)]
