"""The part of a plan that is about addresses: which is on record for whom, which is verified, which gets what. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

from escalation.customers.plan import Row
from escalation.customers.records import Record

if TYPE_CHECKING:
    from escalation.customers.planning import Planner

_NOTIFICATION = {"language": "", "digest": False, "active": True}


class EmailPlanner:
    """`register` and `notify` for each record, then `settle` once: it judges who may have a verified address."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._plan = planner.result
        self._by_place: dict[tuple[UUID, str], list[Row]] = defaultdict(list)
        self._registered: dict[UUID, Row] = {}
        for row in planner.state.emails.values():
            self._index(row)
        self._notified: dict[tuple[UUID, str, str], Row] = {}
        for row in planner.state.notifications.values():
            address = planner.state.emails[row["email_id"]]["address"]
            self._notified[row["account_id"], row["kind"], address] = row
        self._wanted_by: dict[UUID, Record] = {}
        """Which record asked for the verification of an address."""

    def register(self, record: Record, customer: Row) -> bool:
        """The address on record for a customer. True when anything changed."""
        before = self._registered.get(customer["id"])
        row, changed = before, False
        if "email" in record.values:
            address, raw = record.values["email"]
            if before is not None and before["address"] != address:
                self._release(before)
                row, changed = None, True
            if address and row is None:
                row, changed = self._take(customer, address, raw), True
        if "email_verified" in record.values:
            changed |= self._verify(record, row, wanted=record.values["email_verified"])
        return changed

    def notify(self, record: Record, account: Row) -> None:
        address, raw = record.values["email"]
        kind = record.values["kind"]
        known = self._notified.get((account["id"], kind, address))
        values: Row = {column: record.values[column] for column in ("language", "digest") if column in record.values}
        if known is None:
            email = self._in_account(account["id"], address) or self._add(account["id"], None, address, raw)
            values |= {"account_id": account["id"], "kind": kind, "email_id": email["id"]}
        row = self._planner.put("addresses", known, values, _NOTIFICATION)
        self._notified[account["id"], kind, address] = row

    def settle(self) -> None:
        """One verified address belongs to one account: who left makes room, else the newcomer is refused."""
        owners: dict[str, list[Row]] = defaultdict(list)
        for rows in self._by_place.values():
            for row in rows:
                if row["verified_at"] is not None:
                    owners[row["address"]].append(row)
        people = {row["id"]: row for row in self._planner.state.customers.values()}
        accounts = {row["id"]: row for row in self._planner.state.accounts.values()}
        for rows in owners.values():
            if len(rows) < 2:
                continue
            here = []
            for row in rows:
                person, account = people.get(row["customer_id"]), accounts.get(row["account_id"])
                if account is not None and account["active"] and (person is None or person["active"]):
                    here.append(row)
                else:
                    self._withdraw(row)
            for row in here if len(here) > 1 else ():
                record = self._wanted_by.get(row["id"])
                other = next(one for one in here if one is not row)
                if record is not None:
                    of = self._planner.account_nos.get(other["account_id"], "")
                    reason = f"{row['address']} is verified for account {of} already"
                    self._plan.faults.append(record.line.fault("email", reason))

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _index(self, row: Row) -> None:
        self._by_place[row["account_id"], row["address"]].append(row)
        if row["registered"] and row["customer_id"] is not None:
            self._registered[row["customer_id"]] = row

    def _in_account(self, account_id: UUID, address: str) -> Row | None:
        rows = self._by_place.get((account_id, address), [])
        return min(rows, key=lambda row: (not row["registered"], row["id"]), default=None)

    def _take(self, customer: Row, address: str, raw: str) -> Row:
        """A row of the account that is nobody's or was this customer's before, else a new one."""
        for row in self._by_place.get((customer["account_id"], address), []):
            if row["customer_id"] in (None, customer["id"]):
                row.update(customer_id=customer["id"], registered=True, raw=raw)
                self._touch(row)
                self._registered[customer["id"]] = row
                return row
        return self._add(customer["account_id"], customer["id"], address, raw)

    def _add(self, account_id: UUID, customer_id: UUID | None, address: str, raw: str) -> Row:
        row: Row = {
            "id": self._planner.new_id(),
            "account_id": account_id,
            "customer_id": customer_id,
            "address": address,
            "raw": raw,
            "registered": customer_id is not None,
            "verified_at": None,
            "verified_by": "",
        }
        self._planner.new.add(row["id"])
        self._plan.insert("email_address", row)
        self._index(row)
        return row

    def _touch(self, row: Row) -> None:
        if row["id"] not in self._planner.new:
            self._plan.update("email_address", row)

    def _verify(self, record: Record, row: Row | None, *, wanted: bool) -> bool:
        """An import takes back only what an import gave: the use of a link stays a proof."""
        if wanted and row is None:
            self._plan.faults.append(record.line.fault("email_verified", "there is no address to be verified"))
        if row is None:
            return False
        if wanted:
            self._wanted_by[row["id"]] = record
            if row["verified_at"] is None:
                row.update(verified_at=self._planner.now, verified_by="import")
                self._touch(row)
                return True
        elif row["verified_by"] == "import":
            self._withdraw(row)
            return True
        return False

    def _release(self, row: Row) -> None:
        """No longer on record. It stays proven only while notifications go there."""
        row["registered"] = False
        del self._registered[row["customer_id"]]
        self._touch(row)
        used = any(one["email_id"] == row["id"] and one["active"] for one in self._places_of(row))
        if not used:
            self._withdraw(row)

    def _places_of(self, row: Row) -> list[Row]:
        kinds = ("billing", "support", "abuse", "service")
        places = [self._notified.get((row["account_id"], kind, row["address"])) for kind in kinds]
        return [place for place in places if place is not None]

    def _withdraw(self, row: Row) -> None:
        row.update(verified_at=None, verified_by="")
        if row["id"] not in self._planner.new:
            self._plan.withdrawn.add(row["id"])
            self._touch(row)
