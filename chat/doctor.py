"""`nightdesk doctor`: what is configured, what is reachable, what is wrong and how to mend it."""

import asyncio
import shutil
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from chat.db import Database, DatabaseAway, table_of
from chat.migrations import schema
from chat.outbox import OutboxRow
from chat.people.models import Operator, Site
from chat.settings import Settings

LOW_DISK = 0.10


@dataclass(frozen=True)
class Finding:
    name: str
    ok: bool
    says: str
    mend: str = ""


async def examine(settings: Settings) -> list[Finding]:
    return [_address(settings), _disk(settings), *await _database(settings), await _bus(settings)]


def _address(settings: Settings) -> Finding:
    host = urlsplit(settings.base_url).hostname or ""
    public = settings.listen_host not in ("127.0.0.1", "::1")
    if public and not settings.is_secure:
        return Finding(
            "address",
            False,
            f"listens on {settings.listen} without https",
            "Put a proxy with TLS in front and set NIGHTDESK_BASE_URL to its https address.",
        )
    return Finding("address", True, f"{settings.base_url} (host {host}), listens on {settings.listen}")


def _disk(settings: Settings) -> Finding:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        usage = shutil.disk_usage(settings.data_dir)
        probe = settings.data_dir / ".doctor"
        probe.write_text("ok", encoding="ascii")
        probe.unlink()
    except OSError as error:
        return Finding(
            "disk", False, f"{settings.data_dir} cannot be written ({error.strerror})", "Set NIGHTDESK_DATA_DIR."
        )
    free = usage.free / usage.total
    mend = "" if free > LOW_DISK else "Make room: with a full disk nothing can be acknowledged."
    return Finding("disk", free > LOW_DISK, f"{settings.data_dir}, {free:.0%} free", mend)


async def _database(settings: Settings) -> list[Finding]:
    kind = "PostgreSQL" if settings.is_postgresql else "SQLite"
    db = Database(settings.effective_database_url)
    try:
        current, head = await schema.standing(db)
        if current != head:
            says = f"{kind}, schema {current or 'empty'}, program {head}"
            return [Finding("database", False, says, "Run `nightdesk migrate`.")]
        async with db.write() as session:
            await session.execute(select(1))
            sites = (await session.execute(select(func.count()).select_from(table_of(Site)))).scalar_one()
            people = (await session.execute(select(func.count()).select_from(table_of(Operator)))).scalar_one()
            rows = table_of(OutboxRow)
            dead = (await session.execute(select(func.count()).where(rows.c.state == "dead"))).scalar_one()
        return [
            Finding("database", True, f"{kind}, reachable and writable, schema {head}"),
            Finding("sites", sites > 0, f"{sites}", "" if sites else "Add one: `nightdesk site add`."),
            Finding("operators", people > 0, f"{people}", "" if people else "Add one: `nightdesk operator add`."),
            Finding(
                "outbox",
                dead == 0,
                f"{dead} rows gave up",
                "" if not dead else "The log names each; start a worker and see why they fail.",
            ),
        ]
    except (SQLAlchemyError, DatabaseAway, OSError) as error:
        mend = "Check NIGHTDESK_DATABASE_URL and that the server runs."
        return [Finding("database", False, f"{kind} cannot be reached ({type(error).__name__})", mend)]
    finally:
        await db.close()


async def _bus(settings: Settings) -> Finding:
    if settings.redis_url is None:
        return Finding("bus", True, "in memory: one process. For more set NIGHTDESK_REDIS_URL.")
    client = Redis.from_url(settings.redis_url, protocol=2, socket_connect_timeout=3)
    pubsub = client.pubsub()
    try:
        async with asyncio.timeout(5):
            await pubsub.subscribe("nightdesk:doctor")
            await client.publish("nightdesk:doctor", b"both ways")
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is not None:
                    return Finding("bus", True, "Redis, heard both ways")
    except (RedisError, OSError, TimeoutError) as error:
        return Finding(
            "bus",
            False,
            f"Redis does not answer ({type(error).__name__})",
            "Check NIGHTDESK_REDIS_URL and that the server runs. Chat goes on meanwhile, up to 1 s slower.",
        )
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()
