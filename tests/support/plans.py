"""How the database finds what a statement asks for: every statement is caught as it is sent, and explained."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from chat.db import Database

_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass
class Statements:
    """What was sent while `watched` was open."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    async def plans(self, db: Database) -> list[tuple[str, str]]:
        """Statement and plan, of all that read or change rows."""
        found = []
        async with db.engine.connect() as connection:
            for statement, parameters in self.sent:
                if statement.lstrip().split(" ", 1)[0].upper() not in ("SELECT", "UPDATE", "DELETE", "WITH"):
                    continue
                if db.is_sqlite:
                    rows = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
                else:
                    driver = (await connection.get_raw_connection()).driver_connection
                    assert driver is not None
                    rows = await (await driver.execute(_of_any_values(statement), prepare=False)).fetchall()
                found.append((statement, "\n".join(str(row[-1]) for row in rows)))
        return found

    async def scans(self, db: Database, table: str) -> list[str]:
        """Statements that read the whole table, with their plans."""
        marks = (f"SCAN {table}\n",) if db.is_sqlite else (f"Seq Scan on {table} ", f"Seq Scan on {table}\n")
        return [
            f"{statement}\n{plan}"
            for statement, plan in await self.plans(db)
            if any(mark in f"{plan}\n" for mark in marks)
        ]


def _of_any_values(statement: str) -> str:
    """For PostgreSQL, which carries out the plan that serves all values."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return "EXPLAIN (GENERIC_PLAN) " + numbered.replace("%%", "%")


@contextmanager
def watched(db: Database) -> Iterator[Statements]:
    statements = Statements()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many:
            statements.sent.append((statement, parameters))

    event.listen(db.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine.sync_engine, "before_cursor_execute", note)
