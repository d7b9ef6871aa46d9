"""Import of 10,000 accounts with 30,000 services, and looking a service up by an address inside one of its ranges."""

import random
import statistics
import time
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from sqlalchemy import select

from chat.clock import SystemClock
from chat.db import Database, table_of
from chat.migrations import schema
from escalation.customers.importing import Importer
from escalation.customers.models import Account
from escalation.customers.registry import Registry
from tests.support.both_databases import on_both

ACCOUNTS = 10_000
SERVICES = 3 * ACCOUNTS
LOOKUPS = 500
FIRST4, FIRST6 = int(ip_address("185.0.0.0")), int(ip_address("2a02:e48::"))


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {"accounts": ACCOUNTS, "services": SERVICES, "ranges": 2 * SERVICES}
    return figures | on_both(_measure)


def files() -> list[tuple[str, bytes]]:
    accounts = ["account_no,name,language,zone,tags"]
    accounts += [f"A{n},Company {n},sl,Europe/Ljubljana,gold" for n in range(ACCOUNTS)]
    services = ["account_no,service_ref,order_no,name,kind,location,product,tags,ips"]
    for n in range(SERVICES):
        ips = f"{ip_address(FIRST4 + 16 * n)}/28 {ip_address(FIRST6 + (n << 64))}/64"
        services.append(f"A{n % ACCOUNTS},S{n},#{100000 + n},VPS {n} Ljubljana,vps,Ljubljana,VPS-2,,{ips}")
    return [("accounts.csv", "\n".join(accounts).encode()), ("services.csv", "\n".join(services).encode())]


async def _measure(url: str) -> dict[str, Any]:
    db = Database(url)
    await schema.migrate(db)
    importer, registry, content = Importer(db, SystemClock(), ("en", "sl")), Registry(db), files()
    seconds = {}
    for name in ("import_seconds", "same_again_seconds"):
        began, worked = time.perf_counter(), time.process_time()
        outcome = await importer.import_files(content)
        seconds[name] = round(time.perf_counter() - began, 2)
        seconds[name.replace("seconds", "cpu_seconds")] = round(time.process_time() - worked, 2)
        if outcome.faults or outcome.written != (name == "import_seconds"):
            raise RuntimeError(f"{name}: {outcome}")
    async with db.read() as session:
        table = table_of(Account)
        ids: dict[str, UUID] = dict((await session.execute(select(table.c.account_no, table.c.id))).tuples().all())
    figures = {
        "ipv4_median_ms": await _look_up(registry, ids, "ipv4"),
        "ipv6_median_ms": await _look_up(registry, ids, "ipv6"),
        "peers": {"by order number": {"median_ms": await _look_up(registry, ids, "order")}},
    }
    await db.close()
    return {**seconds, **figures}


async def _look_up(registry: Registry, ids: dict[str, UUID], by: str) -> float:
    chosen = random.Random(7)  # noqa: S311 — which one is looked up is no secret
    taken = []
    for _ in range(LOOKUPS):
        n = chosen.randrange(SERVICES)
        account = ids[f"A{n % ACCOUNTS}"]
        inside = FIRST4 + 16 * n + chosen.randrange(16) if by == "ipv4" else FIRST6 + (n << 64) + chosen.randrange(9999)
        began = time.perf_counter()
        if by == "order":
            found = await registry.find_service(account, order_no=str(100_000 + n))
        else:
            found = await registry.find_service(account, ip=str(ip_address(inside)))
        taken.append(time.perf_counter() - began)
        if found is None or found.ref != f"S{n}":
            raise RuntimeError(f"service {n} by {by} is {found}")
    return round(1000 * statistics.median(taken), 2)
