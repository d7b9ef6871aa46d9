"""The database: reachable, writable, at head, of the same time; and what its rows say."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import Select, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import SystemClock
from chat.connecting import postgres_error
from chat.db import Database, DatabaseAway, table_of
from chat.doctor.finding import Finding
from chat.migrations import schema
from chat.outbox import OutboxRow
from chat.people.models import CANARY, Operator, Site
from chat.settings import Settings

WITHIN_SECONDS = 8.0
APART_SECONDS = 2.0


async def ask_database(settings: Settings) -> tuple[list[Finding], str | None]:
    """What is found, and the key of a site if there is one."""
    kind = "PostgreSQL" if settings.is_postgresql else "SQLite"
    mend = "Check NIGHTDESK_DATABASE_URL and that the server runs."
    try:
        db = Database(settings.effective_database_url)
    except postgres_error():
        return [Finding("database", False, "the address cannot be understood", mend)], None
    asking = asyncio.create_task(_ask(settings, db, kind))
    # A server that hangs is not waited for, and neither is the driver, which waits for it.
    done, _ = await asyncio.wait({asking}, timeout=WITHIN_SECONDS)
    if not done:
        asking.cancel()
        return [Finding("database", False, f"{kind} does not answer within {WITHIN_SECONDS:.0f} s", mend)], None
    try:
        return asking.result()
    except (SQLAlchemyError, DatabaseAway, OSError, ValueError) as error:
        cause = error.__cause__ or error
        return [Finding("database", False, f"{kind} cannot be reached ({type(cause).__name__})", mend)], None
    finally:
        await db.close()


async def _ask(settings: Settings, db: Database, kind: str) -> tuple[list[Finding], str | None]:
    current, head = await schema.standing(db)
    if current != head:
        if current in schema.history() or current is None:
            says, mend = f"{kind}, schema {current or 'empty'}, program {head}", "Run `nightdesk migrate`."
        else:
            says = f"{kind}, schema {current} is newer than this program ({head})"
            mend = "Install the version that made it, or restore the copy from before the upgrade."
        return [Finding("database", False, says, mend)], None
    try:
        await _write(db)
    except (SQLAlchemyError, DatabaseAway) as error:
        cause = error.__cause__ or error
        mend = "Is it a standby, a full disk, or a role without rights? It must take writes."
        return [Finding("database", False, f"{kind} refuses writes ({type(cause).__name__})", mend)], None
    async with db.read() as session:
        found = [Finding("database", True, f"{kind}, reachable and writable, schema {head}")]
        if settings.is_postgresql:
            found.append(await _clock(session))
        found += await _rows(session)
        site = (await session.execute(select(table_of(Site).c.key).limit(1))).scalar_one_or_none()
    return found, site


async def _write(db: Database) -> None:
    async with db.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = version_num"))


async def _clock(session: AsyncSession) -> Finding:
    theirs: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    apart = abs((SystemClock().now() - theirs.astimezone(UTC)).total_seconds())
    mend = "" if apart <= APART_SECONDS else "Let both machines follow a time server (NTP)."
    return Finding("clock of the database", apart <= APART_SECONDS, f"{apart:.1f} s apart", mend)


async def _rows(session: AsyncSession) -> list[Finding]:
    rows, operators = table_of(OutboxRow), table_of(Operator)

    async def count(statement: Select[int]) -> int:
        return int((await session.execute(statement)).scalar_one())

    sites = await count(select(func.count()).select_from(table_of(Site)))
    people = await count(select(func.count()).where(operators.c.role != CANARY))
    dead = await count(select(func.count()).where(rows.c.state == "dead"))
    return [
        Finding("sites", sites > 0, f"{sites}", "" if sites else "Add one: `nightdesk site add`."),
        Finding("operators", people > 0, f"{people}", "" if people else "Add one: `nightdesk operator add`."),
        Finding(
            "outbox",
            dead == 0,
            f"{dead} rows gave up",
            "" if not dead else "The log names each; start a worker and see why they fail.",
        ),
    ]
