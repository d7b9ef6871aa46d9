"""The `nightdesk` command. Exit 0 done, 1 failed, 2 wrong use, 3 refused by settings."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from chat.cli.care import backup, doctor, migrate, restore
from chat.cli.people import operators, visitors
from chat.cli.processes import demo, serve, worker
from chat.cli.shared import settings_of
from chat.cli.sites import sites
from escalation.customers.commands import Opened, registry_commands

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Nightdesk: live chat whose conversations can become tickets.",
)


def main() -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from chat.connecting import postgres_error
    from chat.db import DatabaseAway
    from chat.keys import KeyCutShort
    from chat.migrations.schema import Behind

    os.umask(0o077)  # all that is written is texts of people, and keys
    try:
        cli()
    except (Behind, KeyCutShort) as error:
        typer.echo(str(error), err=True)
    except Exception as error:
        if not isinstance(error, (SQLAlchemyError, DatabaseAway, OSError, sqlite3.Error, *postgres_error())):
            raise
        typer.echo(f"Nightdesk cannot work with its database or data folder ({_kind_of(error)}).", err=True)
        typer.echo("Check NIGHTDESK_DATABASE_URL and NIGHTDESK_DATA_DIR; `nightdesk doctor` says more.", err=True)
    else:
        return
    raise SystemExit(1)


def _kind_of(error: BaseException) -> str:
    """In words where they hold no values: SQLite names tables and files, PostgreSQL also what was to be stored."""
    if error.__cause__ is not None and not isinstance(error, OSError):
        return _kind_of(error.__cause__)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) if isinstance(error, sqlite3.Error) else type(error).__name__


@asynccontextmanager
async def _registry() -> AsyncIterator[Opened]:
    from chat import program

    settings = settings_of()
    async with program.opened(settings) as db:
        yield Opened(db, settings.locales)


for _command in (demo, serve, worker, migrate, doctor, backup, restore):
    cli.command()(_command)
_groups = {"operator": operators, "visitor": visitors, "site": sites}
for _name, _commands in (_groups | registry_commands(_registry)).items():
    cli.add_typer(_commands, name=_name)
