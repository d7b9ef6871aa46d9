"""Commands of who cares for a Nightdesk: its schema, its health, its copies."""

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from chat.cli.shared import Json, fail, run, settings_of


def migrate(check: Annotated[bool, typer.Option("--check", help="Only ask: 0 at head, 1 behind.")] = False) -> None:
    """Brings the database to the newest schema. SQLite: after a copy of the file."""
    from chat import program

    settings = settings_of()
    if check:
        current, head = run(program.standing(settings))
        typer.echo(f"database {current or 'empty'}, program {head}")
        raise typer.Exit(1 if program.is_behind(current) else 0)
    changed = run(program.migrate_now(settings))
    typer.echo("The schema is at head now." if changed else "The schema was at head already.")


def doctor(as_json: Json = False) -> None:
    """Says what is configured, what is reachable, what is wrong and how to mend it."""
    from chat.doctor import examine

    findings = run(examine(settings_of()))
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.says}")
            if finding.mend:
                typer.echo(f"      {finding.mend}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def backup(
    target: Annotated[Path, typer.Argument(help="File to make, or a folder for it.")],
    as_json: Json = False,
) -> None:
    """Copies database, keys and uploads into one file while the desk serves."""
    from chat.operations.archive import CopyRefused
    from chat.operations.copies import back_up

    _tidy_when_told()
    try:
        made, manifest = back_up(settings_of(), target)
    except CopyRefused as refused:
        raise fail(str(refused)) from None
    if as_json:
        said = {"file": str(made), "bytes": made.stat().st_size, "rows": manifest.rows, "schema": manifest.schema}
        typer.echo(json.dumps(said | {"conversations": manifest.conversations}))
    else:
        typer.echo(f"{made}: {manifest.conversations} conversations, {manifest.rows} rows, schema {manifest.schema}.")
        typer.echo("It holds what people said, and keys: keep it where only you can read it.")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `nightdesk backup` made.")],
    is_drill: Annotated[bool, typer.Option("--drill", help="Proves the copy in a throw-away place.")] = False,
    as_json: Json = False,
) -> None:
    """Restores a copy into an empty place, or proves with --drill that it could be."""
    from chat.operations import copies
    from chat.operations.archive import CopyRefused

    settings = settings_of()
    _tidy_when_told()
    try:
        manifest = copies.drill(settings, source) if is_drill else copies.restore(settings, source)
    except CopyRefused as refused:
        if as_json:
            typer.echo(json.dumps({"good": False, "because": str(refused)}))
        raise fail(str(refused)) from None
    if as_json:
        said = {"good": True, "made_at": manifest.made_at, "rows": manifest.rows, "schema": manifest.schema}
        typer.echo(json.dumps(said | {"conversations": manifest.conversations}))
        return
    what = f"{manifest.conversations} conversations, {manifest.rows} rows of {manifest.made_at}"
    typer.echo(f"The copy is good: {what}, all streams whole." if is_drill else f"Restored: {what}.")


def _tidy_when_told() -> None:
    """Told to end, what was begun is taken away first, as after Ctrl+C: it is a whole copy of what people said."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
