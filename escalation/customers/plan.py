"""What an import found and what it will write, as plain rows. Pure."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from escalation.customers.csv_files import Fault
from escalation.customers.ranges import IpRange

Row = dict[str, Any]


@dataclass(slots=True)
class State:
    """What stands in the database, by the company's keys. Rows are dicts of columns; planning changes them."""

    accounts: dict[str, Row] = field(default_factory=dict)
    customers: dict[str, Row] = field(default_factory=dict)
    services: dict[str, Row] = field(default_factory=dict)
    ranges: dict[UUID, frozenset[IpRange]] = field(default_factory=dict)
    emails: dict[UUID, Row] = field(default_factory=dict)
    notifications: dict[UUID, Row] = field(default_factory=dict)


@dataclass(slots=True)
class Count:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deactivated: int = 0


@dataclass(slots=True)
class Plan:
    """Rows by table. `withdrawn` are addresses that lose their verification before another row may have it."""

    inserts: dict[str, list[Row]] = field(default_factory=dict)
    updates: dict[str, dict[UUID, Row]] = field(default_factory=dict)
    withdrawn: set[UUID] = field(default_factory=set)
    new_ranges: dict[UUID, frozenset[IpRange]] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def insert(self, table: str, row: Row) -> None:
        self.inserts.setdefault(table, []).append(row)

    def update(self, table: str, row: Row) -> None:
        """The whole row as it is at the end. One that is inserted in this plan is changed where it stands."""
        self.updates.setdefault(table, {})[row["id"]] = row

    @property
    def changes_nothing(self) -> bool:
        return not (self.inserts or self.updates or self.withdrawn or self.new_ranges)


TABLES = {"accounts": "account", "customers": "customer", "services": "service", "addresses": "notification_address"}
