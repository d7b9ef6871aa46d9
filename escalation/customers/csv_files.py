"""CSV as companies export it -> rows of named cells, each with its line. Pure: bytes in, faults beside the rows."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_CELL = 20_000


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, and where. Lines count from 1; `column` is the name in the first line, empty for a whole line."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.column}: {self.reason}" if self.column else f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One kind of rows. `identifying` is the column that no other kind has."""

    name: str
    identifying: str
    required: frozenset[str]
    optional: frozenset[str]


SHEETS = (
    Sheet(
        "services",
        "service_ref",
        frozenset({"account_no", "service_ref", "name"}),
        frozenset({"order_no", "kind", "location", "product", "tags", "ips"}),
    ),
    Sheet(
        "customers",
        "ref",
        frozenset({"account_no", "ref", "name"}),
        frozenset({"email", "email_verified", "rights"}),
    ),
    Sheet("addresses", "email", frozenset({"account_no", "kind", "email"}), frozenset({"language", "digest"})),
    Sheet("accounts", "account_no", frozenset({"account_no", "name"}), frozenset({"language", "zone", "tags"})),
)
"""In the order in which they are recognised: each has a column that those below it lack."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row. A column that the file lacks is not in `cells`: what it would say is left as it is."""

    file: str
    number: int
    cells: Mapping[str, str]

    def fault(self, column: str, reason: str) -> Fault:
        return Fault(self.file, self.number, column, reason)


@dataclass(slots=True)
class Table:
    sheet: Sheet | None
    lines: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_table(file: str, content: bytes) -> Table:
    table = Table(None)
    text = _decoded(file, content, table)
    if text is None:
        return table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[str] | None = None
    begun = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            table.faults.append(Fault(file, begun, "", f"the quotes or the line end are broken here ({error})"))
            return table
        number, begun = begun, reader.line_num + 1
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None:
            columns = [cell.strip().lower() for cell in cells]
            table.sheet = _recognised(file, number, columns, table.faults)
            if table.sheet is None or table.faults:
                return table
        else:
            _add(table, file, number, columns, cells)
    if columns is None:
        table.faults.append(Fault(file, 1, "", "the file is empty; its first line must name the columns"))
    return table


def _decoded(file: str, content: bytes, table: Table) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        table.faults.append(Fault(file, line, "", "this is not UTF-8; save the file as CSV UTF-8"))
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        table.faults.append(Fault(file, line, "", "there is a NUL character; this is no text file"))
        return None
    return text


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return ";" if first.count(";") > first.count(",") else ","


def _recognised(file: str, number: int, columns: Sequence[str], faults: list[Fault]) -> Sheet | None:
    sheet = next((sheet for sheet in SHEETS if sheet.identifying in columns), None)
    # `ref` and `email` both stand in a file of customers, `email` alone in one of addresses.
    if sheet is None:
        names = ", ".join(sorted(f"{sheet.name} ({sheet.identifying})" for sheet in SHEETS))
        faults.append(Fault(file, number, "", f"these columns belong to no kind of file; there are {names}"))
        return None
    known = sheet.required | sheet.optional
    for position, column in enumerate(columns):
        if column in columns[:position]:
            faults.append(Fault(file, number, column, "the column stands here twice"))
        elif column not in known:
            also = ", ".join(sorted(known))
            faults.append(
                Fault(file, number, column or "(no name)", f"{sheet.name} have no such column; known: {also}")
            )
    faults += [
        Fault(file, number, column, f"{sheet.name} need this column")
        for column in sorted(sheet.required - set(columns))
    ]
    return sheet


def _add(table: Table, file: str, number: int, columns: Sequence[str], cells: Sequence[str]) -> None:
    if len(cells) != len(columns):
        reason = f"there are {len(cells)} cells, the first line names {len(columns)} columns"
        table.faults.append(Fault(file, number, "", reason))
        return
    line = Line(file, number, {column: cell.strip() for column, cell in zip(columns, cells, strict=True)})
    for column, cell in line.cells.items():
        if len(cell) > LONGEST_CELL:
            table.faults.append(line.fault(column, f"the cell has more than {LONGEST_CELL} characters"))
            return
    table.lines.append(line)
