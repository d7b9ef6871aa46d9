"""`nightdesk account add`, `customer add`, `service add`, `registry import`: one way in, whether from options or files.

The command line hands in how the database is opened, since the way there belongs to rings above this package.
"""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chat.db import Database
    from escalation.customers.importing import Outcome

Json = Annotated[bool, typer.Option("--json", help="One JSON line, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would change, write nothing.")]
AccountNo = Annotated[str, typer.Option("--account", help="Number of the account.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be repeated.")]
FAULTS_SHOWN = 200
"""Lines on a terminal; `--json` has all."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The database at head, and the languages offered."""

    db: "Database"
    locales: tuple[str, ...]


Open = Callable[[], AbstractAsyncContextManager[Opened]]


def registry_commands(opened: Open) -> dict[str, typer.Typer]:
    accounts = typer.Typer(no_args_is_help=True, help="Contract partners of the company.")
    customers = typer.Typer(no_args_is_help=True, help="People of an account.")
    services = typer.Typer(no_args_is_help=True, help="What an account has bought.")
    registry = typer.Typer(no_args_is_help=True, help="The company's records as a whole.")

    @accounts.command("add")
    def account_add(
        number: Annotated[str, typer.Option("--number", help="The company's own number of the account.")],
        name: Annotated[str, typer.Option(help="Name of the account.")],
        language: Annotated[str | None, typer.Option(help="en or sl")] = None,
        zone: Annotated[str | None, typer.Option(help="As Europe/Ljubljana; none is the company's.")] = None,
        tag: Tags = None,
        as_json: Json = False,
    ) -> None:
        """Adds an account, or changes the one with this number."""
        cells = {"account_no": number, "name": name, "language": language, "zone": zone, "tags": _joined(tag)}
        _one(opened, cells, as_json)

    @customers.command("add")
    def customer_add(
        account: AccountNo,
        ref: Annotated[str, typer.Option(help="The company's own key of the customer.")],
        name: Annotated[str, typer.Option(help="Name of the person.")],
        email: Annotated[str | None, typer.Option(help="Address on record.")] = None,
        verified: Annotated[
            bool | None, typer.Option("--verified/--not-verified", help="The address was proven to be theirs.")
        ] = None,
        right: Annotated[list[str] | None, typer.Option(help="tickets or billing; may be repeated.")] = None,
        as_json: Json = False,
    ) -> None:
        """Adds a customer to an account, or changes the one with this key."""
        is_verified = None if verified is None else "yes" if verified else "no"
        cells = {"account_no": account, "ref": ref, "name": name, "email": email, "email_verified": is_verified}
        _one(opened, {**cells, "rights": _joined(right)}, as_json)

    @services.command("add")
    def service_add(
        account: AccountNo,
        ref: Annotated[str, typer.Option(help="The company's own key of the service.")],
        name: Annotated[str, typer.Option(help="As the client area shows it.")],
        order: Annotated[str | None, typer.Option(help="123456 or #123456")] = None,
        ip: Annotated[
            list[str] | None, typer.Option(help="192.0.2.7, 192.0.2.0/29 or 192.0.2.3-192.0.2.9; may be repeated.")
        ] = None,
        kind: Annotated[str | None, typer.Option(help="As vps, domain, hosting.")] = None,
        location: Annotated[str | None, typer.Option(help="Where it runs.")] = None,
        product: Annotated[str | None, typer.Option(help="Name of the plan.")] = None,
        tag: Tags = None,
        as_json: Json = False,
    ) -> None:
        """Adds a service to an account, or changes the one with this key."""
        cells = {"account_no": account, "service_ref": ref, "name": name, "order_no": order, "ips": _joined(ip)}
        more = {"kind": kind, "location": location, "product": product, "tags": _joined(tag)}
        _one(opened, {**cells, **more}, as_json)

    @registry.command("import")
    def registry_import(
        files: Annotated[list[Path], typer.Argument(help="CSV files of accounts, customers, services, addresses.")],
        dry_run: DryRun = False,
        complete: Annotated[
            bool, typer.Option("--complete", help="The files are everything: what they lack becomes inactive.")
        ] = False,
        force: Annotated[bool, typer.Option("--force", help="Also when more than 10 % become inactive.")] = False,
        as_json: Json = False,
    ) -> None:
        """Reads files whole, lists every fault, and writes all of it or nothing. The same twice changes nothing."""
        contents = [(str(file), _content(file)) for file in files]
        outcome = _import(opened, contents, dry_run=dry_run, complete=complete, force=force)
        _say(outcome, dry_run=dry_run, as_json=as_json)

    return {"account": accounts, "customer": customers, "service": services, "registry": registry}


def _joined(values: Sequence[str] | None) -> str | None:
    return ",".join(values) if values is not None else None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        typer.echo(f"{file} cannot be read: {error.strerror}.", err=True)
        raise typer.Exit(1) from None


def _one(opened: Open, cells: Mapping[str, str | None], as_json: bool) -> None:
    """Options that were not given are columns that the file lacks."""
    given = {column: cell for column, cell in cells.items() if cell is not None}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([given.keys(), given.values()])
    outcome = _import(opened, [("", text.getvalue().encode())])
    _say(outcome, dry_run=False, as_json=as_json)


def _import(
    opened: Open,
    contents: Sequence[tuple[str, bytes]],
    *,
    dry_run: bool = False,
    complete: bool = False,
    force: bool = False,
) -> "Outcome":
    from chat.clock import SystemClock
    from escalation.customers.importing import ChangedMeanwhile, Importer

    async def work() -> "Outcome":
        async with opened() as found:
            importer = Importer(found.db, SystemClock(), found.locales)
            return await importer.import_files(contents, dry_run=dry_run, complete=complete, force=force)

    try:
        return asyncio.run(work())
    except ChangedMeanwhile:
        typer.echo("Another import wrote at the same time; nothing of this one was written. Run it again.", err=True)
        raise typer.Exit(1) from None


def _say(outcome: "Outcome", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        told = {
            "written": outcome.written,
            "changes": outcome.changes,
            "counts": outcome.counts,
            "faults": [asdict(fault) for fault in outcome.faults],
        }
        typer.echo(json.dumps(told))
    elif outcome.faults:
        for fault in outcome.faults[:FAULTS_SHOWN]:
            typer.echo(str(fault) if fault.file else f"{fault.column}: {fault.reason}", err=True)
        more = len(outcome.faults) - FAULTS_SHOWN
        typer.echo(f"and {more} more faults; --json lists all. " if more > 0 else "", err=True, nl=False)
        typer.echo("Nothing was written.", err=True)
    else:
        for sheet, count in outcome.counts.items():
            typer.echo(f"{sheet}: " + ", ".join(f"{number} {word}" for word, number in count.items()))
        if not outcome.changes:
            typer.echo("Nothing changed.")
        elif dry_run:
            typer.echo("Nothing was written: this was a dry run.")
    if outcome.faults:
        raise typer.Exit(1)
