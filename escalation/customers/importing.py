"""The one module that writes the company's records: files are read whole, then one transaction, or nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, table_of
from chat.ids import new_id
from escalation.customers.csv_files import Fault, read_table
from escalation.customers.models import Account, Customer, EmailAddress, NotificationAddress, Service, ServiceIp
from escalation.customers.plan import Plan, Row, State
from escalation.customers.planning import Planner
from escalation.customers.ranges import IpRange
from escalation.customers.records import Records, read_records

AT_ONCE = 2000
"""Rows of one statement: PostgreSQL ends statements that take longer than a few seconds."""
IMPORT_SECONDS = 300.0
_MODELS: tuple[type[SQLModel], ...] = (Account, Customer, EmailAddress, Service, NotificationAddress)
"""Each after what it points at."""
_UNREAD = {"suppressed_until", "reason"}
"""Of addresses: written by whoever sends mail, never by an import."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`written` is false when there were faults, when it was a dry run, and when there was nothing to change."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    written: bool = False
    changes: bool = False


class ChangedMeanwhile(Exception):
    """Another import wrote at the same time; nothing of this one was written."""


class Importer:
    """`locales` are the languages offered; the first stands for accounts that name none."""

    def __init__(self, db: Database, clock: Clock, locales: tuple[str, ...]) -> None:
        self._db = db
        self._clock = clock
        self._locales = locales

    async def import_files(
        self,
        files: Sequence[tuple[str, bytes]],
        *,
        dry_run: bool = False,
        complete: bool = False,
        force: bool = False,
    ) -> Outcome:
        """Raises ChangedMeanwhile."""
        records = read_records([read_table(name, content) for name, content in files], self._locales)
        if records.faults or dry_run:
            async with self._db.read() as session:
                plan = await self._plan(session, records, complete=complete, force=force)
            return _outcome(plan, written=False)
        try:
            async with self._db.write(IMPORT_SECONDS) as session:
                plan = await self._plan(session, records, complete=complete, force=force)
                is_written = not (plan.faults or plan.changes_nothing)
                if is_written:
                    await _apply(session, plan)
        except IntegrityError as error:
            raise ChangedMeanwhile from error
        return _outcome(plan, written=is_written)

    async def _plan(self, session: AsyncSession, records: Records, *, complete: bool, force: bool) -> Plan:
        state = await _state(session)
        return Planner(state, records, self._clock.now(), new_id).plan(complete=complete, force=force)


def _outcome(plan: Plan, *, written: bool) -> Outcome:
    counts = {sheet: asdict(count) for sheet, count in plan.counts.items()}
    return Outcome(counts, sorted(plan.faults), written, not plan.changes_nothing)


# ── what stands there ────────────────────────────────────────────────────────────────────────────────────────────────


async def _state(session: AsyncSession) -> State:
    state = State(
        accounts={row["account_no"]: row for row in await _rows(session, Account)},
        customers={row["ref"]: row for row in await _rows(session, Customer)},
        services={row["service_ref"]: row for row in await _rows(session, Service)},
        emails={row["id"]: row for row in await _rows(session, EmailAddress)},
        notifications={row["id"]: row for row in await _rows(session, NotificationAddress)},
    )
    ips = table_of(ServiceIp)
    found: dict[UUID, list[IpRange]] = {}
    for service_id, first, last, version in await session.execute(
        select(ips.c.service_id, ips.c.ip_from, ips.c.ip_to, ips.c.version)
    ):
        found.setdefault(service_id, []).append(IpRange(first, last, version))
    state.ranges = {service_id: frozenset(ranges) for service_id, ranges in found.items()}
    return state


async def _rows(session: AsyncSession, model: type[SQLModel]) -> list[Row]:
    columns = [column for column in table_of(model).c if column.name not in _UNREAD]
    names = [column.name for column in columns]
    return [dict(zip(names, row, strict=True)) for row in await session.execute(select(*columns))]


# ── what is written ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _apply(session: AsyncSession, plan: Plan) -> None:
    addresses = table_of(EmailAddress)
    if plan.withdrawn:
        withdraw = update(addresses).where(addresses.c.id == bindparam("row_id")).values(verified_at=None)
        await _many(session, withdraw, [{"row_id": one} for one in plan.withdrawn])
    for model in _MODELS:
        table = table_of(model)
        changed = plan.updates.get(table.name, {})
        if changed:
            columns = [column.name for column in table.c if column.name not in _UNREAD and column.name != "id"]
            write = update(table).where(table.c.id == bindparam("row_id"))
            write = write.values({column: bindparam(f"new_{column}") for column in columns})
            rows = [
                {"row_id": row["id"], **{f"new_{column}": row[column] for column in columns}}
                for row in changed.values()
            ]
            await _many(session, write, rows)
        added = plan.inserts.get(table.name, [])
        if model is EmailAddress:
            added = [{**row, "suppressed_until": None, "reason": ""} for row in added]
        await _many(session, insert(table), added)
    await _write_ranges(session, plan)


async def _write_ranges(session: AsyncSession, plan: Plan) -> None:
    ips = table_of(ServiceIp)
    added = {row["id"] for row in plan.inserts.get("service", [])}
    gone = delete(ips).where(ips.c.service_id == bindparam("row_id"))
    await _many(session, gone, [{"row_id": one} for one in plan.new_ranges if one not in added])
    rows = [
        {
            "service_id": service_id,
            "ip_from": one.ip_from,
            "ip_to": one.ip_to,
            "version": one.version,
            "width": one.width,
        }
        for service_id, ranges in plan.new_ranges.items()
        for one in ranges
    ]
    await _many(session, insert(ips), rows)


async def _many(session: AsyncSession, statement: Any, rows: Sequence[Row]) -> None:
    connection = await session.connection()
    for start in range(0, len(rows), AT_ONCE):
        await connection.execute(statement, list(rows[start : start + AT_ONCE]))
