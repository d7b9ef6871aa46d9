"""The job: what a visitor says on process A stands before the operator on process B, stored before it is acknowledged.

A and B share one core, the load generator has the other with PostgreSQL and Redis. Messages a second at saturation;
the time from the scheduled moment until shown at 1,000 a second; processor time of A and B for each message. Then one
process on SQLite, then the peers, which store nothing.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from chat.db import Database
from chat.migrations import schema
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.pinned import CORES, UNPACED, cpu_seconds, pin, resident
from tests.benchmarks.scene import Scene
from tests.support.servers import DurablePostgres, RedisServer
from tests.support.serving import Desk, Process
from tests.support.steps import ROOT

PAIRS = 800
CONSOLES = 16
WINDOW = 4
SECONDS = 5.0
RATE = 1000


def measure() -> dict[str, Any]:
    """NIGHTDESK_BENCHMARK_PEERS=false leaves the peers out."""
    redis, postgres = RedisServer(), DurablePostgres()
    try:
        for server in (redis, postgres):
            server.start()
            if server.process is not None:
                pin(server.process.pid, 1)
        figures = _desk(postgres.url(), redis.url, ("A", "B"))
        figures["sqlite"] = _desk(None, None, ("A",))
        if os.environ.get("NIGHTDESK_BENCHMARK_PEERS") != "false":
            figures["peers"] = {peer.name: measure_peer(peer, redis.url) for peer in PEERS}
        return figures | {"connections": 2 * PAIRS, "cores": len(CORES)}
    finally:
        for server in (redis, postgres):
            server.remove()


def _desk(database: str | None, redis: str | None, names: tuple[str, ...]) -> dict[str, Any]:
    desk = Desk(database, redis, program=UNPACED)
    try:
        url = database or f"sqlite:///{desk.folder / 'nightdesk.sqlite3'}"
        furnished = asyncio.run(_furnished(desk, url))
        processes = [desk.serve() for _ in names]
        for process in processes:
            pin(process.pid, 0)
        wanted = {
            "dialect": "nightdesk",
            "visitors_at": processes[0].base_url,
            "operators_at": processes[-1].base_url,
            "origin": desk.base_url,
            "pairs": PAIRS,
            **furnished,
        }
        return _measured(wanted, dict(zip(names, (process.pid for process in processes), strict=True)))
    finally:
        desk.remove()


async def _furnished(desk: Desk, url: str) -> dict[str, Any]:
    """All tables and all people; before the servers, which would add what they miss."""
    db = Database(url)
    try:
        await schema.migrate(db)
        scene = Scene(desk, db, Process(desk, "serve"), Process(desk, "serve"))
        await scene.furnish(PAIRS, CONSOLES)
        return {
            "site": scene.site_key,
            "talks": [(str(talk.id), talk.token) for talk in scene.talks],
            "passes": [await scene.socket_pass(one) for one in scene.operators],
        }
    finally:
        await db.close()


def measure_peer(peer: Peer, redis: str) -> dict[str, Any]:
    """Two processes of it on the servers' core; its texts go to a room or group and are not stored."""
    if missing := peer.missing():
        return {"not installed": missing}
    with peer.running(redis) as (addresses, processes):
        for process in processes:
            pin(process, 0)
        wanted = {
            "dialect": peer.dialect,
            "visitors_at": addresses[0],
            "operators_at": addresses[1],
            "origin": addresses[0],
            "pairs": PAIRS,
        }
        return _measured(wanted, dict(zip("AB", processes, strict=True)))


def _measured(wanted: dict[str, Any], processes: dict[str, int]) -> dict[str, Any]:
    with _load(wanted) as load:
        figures = _run(load, processes, {"window": WINDOW, "seconds": SECONDS})
        rate = min(RATE, figures["messages_per_second"] // 2)
        paced = _run(load, processes, {"rate": rate, "seconds": SECONDS})
        names = ("p50_ms", "p99_ms", "acknowledged_p50_ms", "acknowledged_p99_ms")
        return {
            **{name: figures[name] for name in figures if not name.endswith("_ms") and name != "seconds"},
            "at_rate": rate,
            **{name: paced[name] for name in names if name in paced},
            "unanswered": figures["unanswered"] + paced["unanswered"],
            "rss_mb": {name: round(resident(process) / 1e6, 1) for name, process in processes.items()},
        }


def _run(load: "subprocess.Popen[str]", processes: dict[str, int], run: dict[str, Any]) -> dict[str, Any]:
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    figures = _asked(load, run)
    sent = max(1, figures["sent"])
    used = {name: cpu_seconds(process) - before[name] for name, process in processes.items()}
    return figures | {"cpu_us_per_message": {name: round(1e6 * one / sent, 1) for name, one in used.items()}}


def _asked(load: "subprocess.Popen[str]", run: dict[str, Any]) -> dict[str, Any]:
    if load.stdin is None or load.stdout is None:
        raise RuntimeError("no pipes")
    load.stdin.write(json.dumps(run) + "\n")
    load.stdin.flush()
    line = load.stdout.readline()
    if not line:
        raise RuntimeError("the load generator ended; its errors stand above")
    answer: dict[str, Any] = json.loads(line)
    return answer


@contextmanager
def _load(wanted: dict[str, Any]) -> "Iterator[subprocess.Popen[str]]":
    with NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(wanted, file)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load", file.name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pin(process.pid, 1)
    try:
        if process.stdout is None or process.stdout.readline().strip() != "met":
            raise RuntimeError("the two sides did not meet; the errors stand above")
        yield process
    finally:
        process.kill()
        process.wait(10)
        Path(file.name).unlink()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
