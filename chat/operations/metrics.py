"""Everything one process can say of itself, gathered from its parts for `/metrics`."""

import asyncio
from collections.abc import Sequence
from hmac import compare_digest
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.conversations.journal import Journal
from chat.db import Database
from chat.hub.hub import Hub
from chat.metrics import names
from chat.metrics.families import counter, gauge, histogram
from chat.metrics.http import HttpTally
from chat.metrics.listener import Listener
from chat.metrics.scrape import CONTENT_TYPE, Reader, Scrape, Source
from chat.operations.deliveries import Deliveries
from chat.settings import Settings
from chat.sockets.heart import Heart
from chat.sockets.operators import OperatorSockets
from chat.sockets.visitors import VisitorSockets
from chat.tally import Spread

if TYPE_CHECKING:
    from chat.operations.canary import Canary


class DeskMetrics:
    """On an address of its own where one is set; on the main address only with the token, else 404."""

    def __init__(
        self,
        settings: Settings,
        *,
        db: Database,
        clock: Clock,
        hub: Hub,
        journal: Journal,
        heart: Heart,
        visitors: VisitorSockets,
        operators: OperatorSockets,
        readers: Sequence[Reader],
        sources: Sequence[Source],
        ticket_replies: Spread,
        canary: "Canary | None" = None,
    ) -> None:
        self._db = db
        self._hub = hub
        self._first_replies: dict[tuple[str, ...], Spread] = {
            ("chat",): journal.first_reply_seconds,
            ("ticket",): ticket_replies,
        }
        self._journal = journal
        self._traffic = heart.traffic
        self._deliveries = Deliveries(clock)
        hub.on_delivered = self._deliveries.add
        self._visitors = visitors
        self._operators = operators
        self._canary = canary
        self.http = HttpTally()
        self._version = version("nightdesk")
        self._token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
        self.scrape = Scrape()
        self.scrape.add(self._families)
        for source in sources:
            self.scrape.add(source)
        for reader in readers:
            self.scrape.add_reader(reader)
        self.listener: Listener | None = None
        if (address := settings.metrics_address) is not None:
            self.listener = Listener(*address, self.scrape.text, CONTENT_TYPE)

    def routes(self) -> list[BaseRoute]:
        return [Route("/metrics", self._answer, methods=["GET"])] if self._token else []

    async def start(self) -> None:
        if self.listener is not None:
            await self.listener.start()

    async def stop(self) -> None:
        if self.listener is not None:
            await self.listener.stop()
        await self.scrape.stop()

    async def _answer(self, request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        if scheme.lower() != "bearer" or not compare_digest(given.strip().encode(), expected):
            raise HTTPException(404)
        return Response(await self.scrape.text(), headers={"Content-Type": CONTENT_TYPE})

    def _families(self) -> list[Metric]:
        return [
            *self._of_canary(),
            counter(names.HTTP_REQUESTS, self.http.requests),
            histogram(names.HTTP_SECONDS, self.http.seconds),
            gauge(
                names.CONNECTIONS,
                {("visitor",): len(self._visitors.all), ("operator",): len(self._operators.all)},
            ),
            counter(names.CONNECTIONS_CLOSED, self._traffic.closed),
            counter(names.FRAMES, self._traffic.frames()),
            counter(names.RESYNCS, self._hub.resyncs),
            histogram(names.COMMIT_SECONDS, {(): self._journal.commit_seconds}),
            histogram(names.COMMIT_GROUP_SIZE, {(): self._journal.group_sizes}),
            histogram(names.DELIVERY_SECONDS, self._deliveries.seconds),
            histogram(names.FIRST_REPLY, self._first_replies),
            gauge(names.BUS_UP, {(): self._hub.bus_is_up}),
            gauge(names.BUS_SILENCE, {(): self._hub.bus_silence_seconds}),
            gauge(names.DB_CONNECTIONS, {(): self._db.connections_in_use}),
            gauge(names.TASKS, {(): len(asyncio.all_tasks())}),
            gauge(names.DB_CONNECTIONS_LIMIT, {(): self._db.connections_limit}),
            gauge(names.BUILD_INFO, {(self._version,): 1}),
        ]

    def _of_canary(self) -> list[Metric]:
        if self._canary is None:
            return []
        return [
            histogram(names.CANARY_SECONDS, {(): self._canary.seconds}),
            counter(names.CANARY_LOST, {(): self._canary.lost}),
        ]
