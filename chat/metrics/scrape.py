"""One scrape: everything this process can say, as the Prometheus text format.

What is counted is read as it stands. What costs queries is a reader: asked at most every 5 s whoever scrapes, and left
out of the answer when it does not answer within 3 s, since an old figure that looks fresh would mislead an alarm.
"""

from collections.abc import Awaitable, Callable, Iterable

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from chat.patience import Patience

KEPT_SECONDS = 5.0
READ_SECONDS = 3.0

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Source = Callable[[], Iterable[Metric]]
Reader = Callable[[], Awaitable[list[Metric]]]

log = structlog.get_logger(__name__)


class Scrape:
    """A registry of its own: two programs in one process (as in tests) do not mix."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._readers: list[Patience[list[Metric]]] = []
        self._base = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._base)
        PlatformCollector(registry=self._base)
        GCCollector(registry=self._base)

    def add(self, source: Source) -> None:
        """Read at each scrape: must not wait."""
        self._sources.append(source)

    def add_reader(self, reader: Reader) -> None:
        """May ask the database."""
        self._readers.append(Patience(reader, seconds=READ_SECONDS, kept_seconds=KEPT_SECONDS))

    async def text(self) -> bytes:
        families: list[Metric] = [*self._base.collect()]
        for source in self._sources:
            families += source()
        for reader in self._readers:
            try:
                families += await reader.answer()
            except Exception as error:
                # The rest is still worth reading; its absence is what an alarm sees.
                log.warning("figures could not be read", error=type(error).__name__)
        return generate_latest(_Collected(families))

    async def stop(self) -> None:
        for reader in self._readers:
            await reader.stop()


class _Collected(Collector):
    """What was collected already, as the encoder wants it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families
