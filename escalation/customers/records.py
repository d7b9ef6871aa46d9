"""Rows of cells -> records: values by column, what the file does not say is left out. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from escalation.customers import fields
from escalation.customers.csv_files import Fault, Line, Table
from escalation.customers.fields import CellRefused

Values = dict[str, Any]
Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Record:
    """`key` is the company's own; `values` has only what the file says."""

    line: Line
    key: tuple[str, ...]
    values: Values


@dataclass(slots=True)
class Records:
    """By kind of file. A kind that no file had is not in `by_sheet`: nothing of it can be missing."""

    by_sheet: dict[str, dict[tuple[str, ...], Record]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    accounts_named: set[str] = field(default_factory=set)
    """Also in rows with faults: what points at them has none because of that."""
    doubtful: list[Line] = field(default_factory=list)
    """Rows with faults of kinds that point at an account: that is still checked."""

    def of(self, sheet: str) -> Mapping[tuple[str, ...], Record]:
        return self.by_sheet.get(sheet, {})


KEYS = {
    "accounts": ("account_no",),
    "customers": ("ref",),
    "services": ("service_ref",),
    "addresses": ("account_no", "kind", "email"),
}


def readers(locales: tuple[str, ...]) -> dict[str, dict[str, Reader]]:
    """`locales` are the languages offered."""

    def language(cell: str) -> str:
        return fields.language(cell, locales)

    def account_no(cell: str) -> str:
        return fields.key(cell, 40)

    def address(cell: str) -> tuple[str, str]:
        if not cell:
            raise CellRefused("empty")
        return fields.email(cell)

    def words(longest: int) -> Reader:
        return lambda cell: fields.words(cell, longest)

    return {
        "accounts": {
            "account_no": account_no,
            "name": lambda cell: fields.name(cell, 200),
            "language": lambda cell: language(cell) or locales[0],
            "zone": fields.zone,
            "tags": fields.tags,
        },
        "customers": {
            "account_no": account_no,
            "ref": lambda cell: fields.key(cell, 64),
            "name": lambda cell: fields.name(cell, 120),
            "email": fields.email,
            "email_verified": fields.yes,
            "rights": fields.rights,
        },
        "services": {
            "account_no": account_no,
            "service_ref": lambda cell: fields.key(cell, 64),
            "order_no": fields.order_no,
            "name": lambda cell: fields.name(cell, 200),
            "kind": words(40),
            "location": words(80),
            "product": words(120),
            "tags": fields.tags,
            "ips": fields.ranges,
        },
        "addresses": {
            "account_no": account_no,
            "kind": fields.kind,
            "email": address,
            "language": language,
            "digest": fields.yes,
        },
    }


def read_records(tables: Iterable[Table], locales: tuple[str, ...]) -> Records:
    records, known = Records(), readers(locales)
    for table in tables:
        records.faults += table.faults
        if table.sheet is None:
            continue
        taken = records.by_sheet.setdefault(table.sheet.name, {})
        for line in table.lines:
            if table.sheet.name == "accounts":
                records.accounts_named.add(line.cells["account_no"])
            values = _values(line, known[table.sheet.name], records.faults)
            if values is not None:
                record = Record(line, _key(table.sheet.name, values), values)
                _take(table.sheet.name, record, taken, records.faults)
            elif table.sheet.name != "accounts":
                records.doubtful.append(line)
    return records


def _values(line: Line, known: Mapping[str, Reader], faults: list[Fault]) -> Values | None:
    values: Values = {}
    whole = True
    for column, cell in line.cells.items():
        try:
            values[column] = known[column](cell)
        except CellRefused as refused:
            faults.append(line.fault(column, str(refused)))
            whole = False
    if values.get("email_verified") and "email" in values and not values["email"][0]:
        faults.append(line.fault("email_verified", "there is no address to be verified"))
        whole = False
    return values if whole else None


def _key(sheet: str, values: Values) -> tuple[str, ...]:
    return tuple(values[column][0] if column == "email" else values[column] for column in KEYS[sheet])


def _take(sheet: str, record: Record, taken: dict[tuple[str, ...], Record], faults: list[Fault]) -> None:
    before = taken.setdefault(record.key, record)
    if before is not record:
        place = f"{before.line.file}:{before.line.number}"
        faults.append(record.line.fault(KEYS[sheet][-1], f"the same row stands in {place}"))
