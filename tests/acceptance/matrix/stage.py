"""The servers of one store with a load on them; faults strike here, one after the other."""

import asyncio
import itertools
import shutil
import signal
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, sleep
from urllib.parse import urlsplit

import psycopg

from chat import program
from chat.metrics.names import TASKS
from chat.settings import load_settings
from tests.acceptance.matrix.sizes import ALONE_L3, FULL, SHORT, Size
from tests.support.faults import ThreadedProxy
from tests.support.histories import read_histories
from tests.support.judge import Finding, Judge
from tests.support.load.control import Load
from tests.support.load.crowd import Plan
from tests.support.measured import Figures, figures_of
from tests.support.nightdesk import SHIFTED
from tests.support.servers import DurablePostgres, PostgresServer, RedisServer
from tests.support.serving import Desk, Process
from tests.support.shifted import shift
from tests.support.stored import Stored, read_stored

HUBS = 3
SITE = "polaris"
CROWDED = {
    f"NIGHTDESK_{name}": "1000000" for name in ("SOCKETS_PER_ADDRESS", "ATTEMPTS_PER_MINUTE", "CONVERSATIONS_PER_HOUR")
}
"""One machine plays all the people."""
METRICS_TOKEN = "only for these servers"
SETTINGS = {**CROWDED, "NIGHTDESK_METRICS_TOKEN": METRICS_TOKEN}
STATISTICS_SECONDS = 2.0
"""Until PostgreSQL has counted what was done."""
LARGEST_HISTORY = 200 * 1024 * 1024
"""A load whose histories are longer is not gone on with: each verdict reads all of them."""


@dataclass
class Usage:
    """Of all hubs together."""

    rss: int
    descriptors: int
    tasks: int = 0


@dataclass
class Judgement:
    findings: list[Finding]
    figures: Figures
    stored: Stored


@dataclass
class Stage:
    """`sqlite`: one process. `postgresql`: three hubs and a Redis; the third reaches both through proxies."""

    store: str
    short: bool
    seed: int = 20261126
    hubs: list[Process] = field(default_factory=list)
    redis: RedisServer | None = None
    postgres: PostgresServer | None = None
    redis_link: ThreadedProxy | None = None
    database_link: ThreadedProxy | None = None

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)  # noqa: S311 — a story that can be told again
        self.folder = Path(tempfile.mkdtemp(prefix="nightdesk-matrix-"))
        self._numbers = itertools.count(1)
        self._load: tuple[str, Load] | None = None
        self._reported: set[Finding] = set()
        self._desk: Desk | None = None
        self.database_url = ""

    # ── servers ──────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        with ThreadPoolExecutor(HUBS) as pool:
            if self.store == "sqlite":
                self._desk = Desk("", "", **SETTINGS)
                self.database_url = f"sqlite:///{self._desk.folder / 'nightdesk.sqlite3'}"
                more: list[dict[str, str]] = [{}]
            else:
                self.redis, self.postgres = RedisServer(), PostgresServer() if self.short else DurablePostgres()
                list(pool.map(lambda server: server.start(), (self.redis, self.postgres)))
                self.database_url = self.postgres.url()
                self._desk = Desk(self.database_url, self.redis.url, **SETTINGS)
                self.redis_link = ThreadedProxy("127.0.0.1", self.redis.port)
                self.database_link = ThreadedProxy("127.0.0.1", self.postgres.port)
                more = [{}] * (HUBS - 1) + [self._by_proxies()]
            self.desk.prepare()
            self.hubs = list(pool.map(self._hub, range(len(more)), more))

    def _hub(self, number: int, settings: dict[str, str]) -> Process:
        self.shift_clock(number, 0)
        hub = self.desk.prepared(SHIFTED_CLOCK=str(self._clock(number)), **settings)
        hub.program = list(SHIFTED)
        hub.start()
        return hub

    def shift_clock(self, number: int, seconds: float) -> None:
        """Of one hub, while it runs."""
        shift(self._clock(number), seconds)

    def _clock(self, number: int) -> Path:
        return self.folder / f"clock-{number}"

    def _by_proxies(self) -> dict[str, str]:
        assert self.redis is not None and self.redis_link is not None and self.database_link is not None  # noqa: PT018
        port = urlsplit(self.database_url).port
        return {
            "NIGHTDESK_REDIS_URL": self.redis.url.replace(str(self.redis.port), str(self.redis_link.port)),
            "NIGHTDESK_DATABASE_URL": self.database_url.replace(str(port), str(self.database_link.port)),
        }

    @property
    def desk(self) -> Desk:
        if self._desk is None:
            raise RuntimeError("the stage was not started")
        return self._desk

    def close(self) -> None:
        self.end_load(gently=False)
        if self._desk is not None:
            self._desk.remove()
        for link in (self.redis_link, self.database_link):
            if link is not None:
                link.stop()
        for server in (self.redis, self.postgres):
            if server is not None:
                server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, hub: Process) -> None:
        hub.end(signal.SIGKILL)

    def rss(self) -> int:
        """Bytes of all hubs together, without asking them."""
        rss = 0
        for hub in self.hubs:
            status = Path(f"/proc/{hub.pid}/status").read_text()
            rss += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        return rss

    def usage(self) -> Usage:
        descriptors = tasks = 0
        for hub in self.hubs:
            descriptors += len(list(Path(f"/proc/{hub.pid}/fd").iterdir()))
            tasks += int(hub.metric(TASKS.name, METRICS_TOKEN))
        return Usage(self.rss(), descriptors, tasks)

    def count(self, table: str) -> int:
        """Rows of a table of ours."""
        query = f"SELECT count(*) FROM {table}"  # noqa: S608 — a name that the tests wrote
        if self.store == "sqlite":
            with closing(sqlite3.connect(self.database_url.partition(":///")[2], timeout=10)) as connection:
                return int(connection.execute(query).fetchone()[0])
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(query.encode()).fetchone()
            return int(row[0]) if row else 0

    def transactions(self) -> int | None:
        """Of the database until now: each read of the program is one, and each group of writes. SQLite counts none."""
        if self.store == "sqlite":
            return None
        sleep(STATISTICS_SECONDS)
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone()
        return int(row[0]) if row else 0

    # ── the load ─────────────────────────────────────────────────────────────────────────────────────────────────

    def size(self, name: str) -> Size:
        if not self.short and name == "L3" and self.store == "sqlite":
            return ALONE_L3
        return (SHORT if self.short else FULL)[name]

    def load(self, name: str) -> Load:
        """The running one where it fits: cells of a store follow each other on one load."""
        if self._load is not None:
            if self.size(self._load[0]) == self.size(name) and self._load[1].history_bytes < LARGEST_HISTORY:
                return self._load[1]
            self.end_load()
        size, number = self.size(name), next(self._numbers)
        plan = Plan(
            addresses=[hub.base_url for hub in self.hubs],
            origin=self.desk.base_url,
            site=SITE,
            folder=str(self.folder / f"run-{number}"),
            seed=self.seed + number,
            conversations=size.conversations,
            tabs=size.tabs,
            idle=size.idle,
            operators=asyncio.run(self._operators(number, size)),
        )
        load = Load(plan)
        self._load, self._reported = (name, load), set()
        load.ask("begin", seconds=300 if not self.short else 90)
        if size.conduct is not None:
            load.ask("links", share=1.0, conduct=size.conduct, breaks_per_minute=size.breaks_per_minute, seconds=120)
        return load

    async def _operators(self, run: int, size: Size) -> list[tuple[str, str]]:
        """Every third works in one department only, the others in all."""
        settings = load_settings(self.desk.environment())
        share = max(1, -(-size.conversations // max(1, size.operators)))
        made = []
        for number in range(size.operators):
            email = f"operator{run}-{number}@desk.example"
            departments = ["technical"] if number % 3 == 2 else []
            link = await program.add_operator(
                settings, email, f"Operator {number}", departments, "operator", "en", min(50, share * 2)
            )
            made.append((email, link))
        return made

    def end_load(self, *, gently: bool = True) -> None:
        if self._load is not None:
            if gently:
                self._load[1].stop()
            else:
                self._load[1].kill()
            self._load = None

    def talk_for(self, load: Load, name: str, seconds: float) -> None:
        """Seconds of the load as it is meant, before or after a fault: what happens in them is what is measured."""
        load.ask("talk", per_second=self.size(name).per_second)
        sleep(seconds)

    # ── the judge ────────────────────────────────────────────────────────────────────────────────────────────────

    def judge(self, load: Load, seconds: float) -> Judgement:
        """When all is quiet; only what was not found before on this load."""
        until = monotonic() + seconds
        load.ask("settle", seconds=seconds)
        stored = read_stored(self.database_url)
        while True:
            heads = stored.heads()
            load.ask("caught_up", heads=heads, seconds=max(5.0, until - monotonic()))
            stored = read_stored(self.database_url)
            if stored.heads() == heads:
                break  # nothing was written while the views caught up
        histories = list(read_histories(load.folder))
        found = [one for one in Judge(stored).findings(histories) if one not in self._reported]
        self._reported.update(found)
        return Judgement(found, figures_of(histories), stored)
