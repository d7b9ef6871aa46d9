"""Records and what stands in the database -> a plan of what to write, or faults. Pure: ids and `now` are handed in."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from escalation.customers.csv_files import Fault, Line
from escalation.customers.names import folded
from escalation.customers.plan import TABLES, Count, Plan, Row, State
from escalation.customers.planned_emails import EmailPlanner
from escalation.customers.records import Record, Records

ALLOWED_MISSING = 10
"""Percent of the active rows that a full import may lack before somebody has to insist."""
_ACCOUNT: Row = {"language": "en", "zone": "", "tags": [], "active": True}
_CUSTOMER: Row = {"can_see_tickets": False, "can_see_billing": False, "active": True}
_SERVICE: Row = {"order_no": "", "kind": "", "location": "", "product": "", "tags": [], "active": True}


class Planner:
    """Construct it, then call `plan` once. The state is used up."""

    def __init__(self, state: State, records: Records, now: datetime, new_id: Callable[[], UUID]) -> None:
        self.state = state
        self.records = records
        self.now = now
        self.new_id = new_id
        self.result = Plan(faults=list(records.faults))
        self.new: set[UUID] = set()
        self.account_nos = {row["id"]: no for no, row in state.accounts.items()}

    def plan(self, *, complete: bool = False, force: bool = False) -> Plan:
        # Shares are of what was active before anything is added.
        missing = list(self._missing()) if complete else []
        emails = EmailPlanner(self)
        for line in self.records.doubtful:
            self._account_named(line)
        for record in self.records.of("accounts").values():
            self._account(record)
        for record in self.records.of("customers").values():
            self._customer(record, emails)
        for record in self.records.of("services").values():
            self._service(record)
        for record in self.records.of("addresses").values():
            if (account := self.account_of(record)) is not None:
                emails.notify(record, account)
        for sheet, rows, active in missing:
            self._deactivate(sheet, rows, active, force)
        emails.settle()
        for sheet in self.records.by_sheet:
            self.result.counts.setdefault(sheet, Count())
        return self.result

    # ── kinds ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _account(self, record: Record) -> None:
        known = self.state.accounts.get(record.key[0])
        row = self.put("accounts", known, record.values, _ACCOUNT)
        self.state.accounts[record.key[0]] = row
        self.account_nos[row["id"]] = record.key[0]

    def _customer(self, record: Record, emails: EmailPlanner) -> None:
        account = self.account_of(record)
        if account is None:
            return
        known = self.state.customers.get(record.key[0])
        if known is not None and known["account_id"] != account["id"]:
            # A person with the same key elsewhere would take verified addresses and tickets along.
            of = self.account_nos[known["account_id"]]
            self.result.faults.append(
                record.line.fault("account_no", f"customer {record.key[0]} is one of account {of} and cannot move")
            )
            return
        values = {"account_id": account["id"], "ref": record.key[0], "name": record.values["name"]}
        if "rights" in record.values:
            values["can_see_tickets"] = "tickets" in record.values["rights"]
            values["can_see_billing"] = "billing" in record.values["rights"]
        row, outcome = self._merged("customers", known, values, _CUSTOMER)
        self.state.customers[record.key[0]] = row
        touched = emails.register(record, row)
        self._count("customers", "changed" if outcome == "unchanged" and touched else outcome)

    def _service(self, record: Record) -> None:
        account = self.account_of(record)
        if account is None:
            return
        known = self.state.services.get(record.key[0])
        values = {column: value for column, value in record.values.items() if column not in ("account_no", "ips")}
        values |= {"account_id": account["id"], "name_key": folded(values["name"])}
        row, outcome = self._merged("services", known, values, _SERVICE)
        self.state.services[record.key[0]] = row
        ranges = record.values.get("ips")
        if ranges is not None and ranges != self.state.ranges.get(row["id"], frozenset()):
            self.result.new_ranges[row["id"]] = ranges
            outcome = "changed" if outcome == "unchanged" else outcome
        self._count("services", outcome)

    def account_of(self, record: Record) -> Row | None:
        self._account_named(record.line)
        return self.state.accounts.get(record.values["account_no"])

    def _account_named(self, line: Line) -> None:
        number = line.cells["account_no"]
        if number and number not in self.state.accounts and number not in self.records.accounts_named:
            self.result.faults.append(line.fault("account_no", f"there is no account {number}"))

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, sheet: str, known: Row | None, values: Row, defaults: Row) -> Row:
        row, outcome = self._merged(sheet, known, values, defaults)
        self._count(sheet, outcome)
        return row

    def _merged(self, sheet: str, known: Row | None, values: Row, defaults: Row) -> tuple[Row, str]:
        """What an import names is active again."""
        table = TABLES[sheet]
        if known is None:
            row = {"id": self.new_id(), **defaults, **values}
            self.new.add(row["id"])
            self.result.insert(table, row)
            return row, "added"
        wanted = {**values, "active": True}
        if all(known[column] == value for column, value in wanted.items()):
            return known, "unchanged"
        known.update(wanted)
        self.result.update(table, known)
        return known, "changed"

    def _count(self, sheet: str, outcome: str) -> None:
        count = self.result.counts.setdefault(sheet, Count())
        setattr(count, outcome, getattr(count, outcome) + 1)

    # ── what a full import lacks ─────────────────────────────────────────────────────────────────────────────────

    def _missing(self) -> Iterator[tuple[str, list[Row], int]]:
        """(kind, rows that are missing, how many were active) of each kind that there was a file for."""
        for sheet, taken in self.records.by_sheet.items():
            active = [(key, row) for key, row in self._standing(sheet) if row["active"]]
            yield sheet, [row for key, row in active if key not in taken], len(active)

    def _standing(self, sheet: str) -> Iterable[tuple[tuple[str, ...], Row]]:
        if sheet == "addresses":
            for row in self.state.notifications.values():
                address = self.state.emails[row["email_id"]]["address"]
                yield (self.account_nos[row["account_id"]], row["kind"], address), row
            return
        rows: dict[str, Row] = getattr(self.state, sheet)
        for key, row in rows.items():
            yield (key,), row

    def _deactivate(self, sheet: str, rows: list[Row], active: int, force: bool) -> None:
        if len(rows) * 100 > active * ALLOWED_MISSING and not force:
            reason = f"{len(rows)} of {active} are missing, more than {ALLOWED_MISSING} %; use --force if that is meant"
            self.result.faults.append(Fault(sheet, 0, "", reason))
            return
        for row in rows:
            row["active"] = False
            self.result.update(TABLES[sheet], row)
        self.result.counts.setdefault(sheet, Count()).deactivated = len(rows)
