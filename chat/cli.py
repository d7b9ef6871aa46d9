"""The `nightdesk` command. Exit 0 done, 1 failed, 2 wrong use, 3 refused by settings."""

import asyncio
import getpass
import json
import os
import secrets
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar
from urllib.parse import urlsplit

import typer

from chat.settings import Settings, SettingsRefused, load_settings
from escalation.customers.commands import Opened, registry_commands

STARTED = time.monotonic()
T = TypeVar("T")

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Nightdesk: live chat whose conversations can become tickets.",
)
operators = typer.Typer(no_args_is_help=True, help="People who answer.")
sites = typer.Typer(no_args_is_help=True, help="Web sites that embed the widget.")
visitors = typer.Typer(no_args_is_help=True, help="People who ask.")
cli.add_typer(operators, name="operator")
cli.add_typer(visitors, name="visitor")
cli.add_typer(sites, name="site")

Json = Annotated[bool, typer.Option("--json", help="One JSON line, for machines.")]


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


def _settings(*, log_to: TextIO | None = None, **overrides: Any) -> Settings:
    try:
        settings = load_settings(**overrides)
    except SettingsRefused as refused:
        for fault in refused.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(3) from None
    from chat.logs import configure

    configure(settings, log_to)
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _fail(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    as_json: Json = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep it; a folder `demo` in the data folder.")] = None,
) -> None:
    """Everything in one process on SQLite, with a demo site, operators and departments; prints the links."""
    from chat import demo as program
    from chat.listening import CannotListen, listening_socket
    from chat.server import serve

    first = _settings()
    try:
        sock = listening_socket("127.0.0.1", port)
    except CannotListen as error:
        raise _fail(f"Nightdesk cannot listen on {error}. Another program uses the port: try --port 0.") from None
    actual = sock.getsockname()[1]
    settings = _settings(
        base_url=f"http://127.0.0.1:{actual}",
        listen=f"127.0.0.1:{actual}",
        data_dir=data_dir or first.data_dir / "demo",
        database_url=None,
        redis_url=None,
        # Its customers are made up: nothing leaves it, whatever is set.
        smtp_url=None,
        mail_from=f"{program.COMPANY} <support@polaris.example>",
        # One machine plays all the visitors.
        sockets_per_address=100_000,
        attempts_per_minute=100_000,
        conversations_per_hour=100_000,
    )
    desk, links = program.prepare(settings)

    def ready() -> None:
        program.announce(settings, links, time.monotonic() - STARTED, as_json=as_json)

    serve(desk.starlette(), settings, sock, ready, desk.retire)


@cli.command()
def serve(
    processes: Annotated[
        int, typer.Option(help="Server processes that share the port; many need PostgreSQL and Redis.", min=1, max=256)
    ] = 1,
    as_json: Json = False,
    place: Annotated[int | None, typer.Option(hidden=True)] = None,
    inherited: Annotated[int | None, typer.Option(hidden=True)] = None,
    figures: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """HTTP and WebSockets. Without Redis it also does the workers' part."""
    settings = _settings(log_to=None if as_json else sys.stdout)
    if place is not None and inherited is not None:
        _serve_at(settings, place, inherited, figures)
    elif processes > 1:
        _serve_many(settings, processes, as_json=as_json)
    else:
        _serve_alone(settings, as_json=as_json)


def _serve_alone(settings: Settings, *, as_json: bool) -> None:
    from chat import program
    from chat.listening import CannotListen, listening_socket
    from chat.server import serve as run

    desk = program.ready_desk(settings)
    try:
        sock = listening_socket(settings.listen_host, settings.listen_port)
    except CannotListen as error:
        raise _fail(f"Nightdesk cannot listen on {error}. Change NIGHTDESK_LISTEN.") from None
    run(desk.starlette(), settings, sock, lambda: _ready(settings, 1, as_json=as_json), desk.retire)


def _serve_many(settings: Settings, processes: int, *, as_json: bool) -> None:
    from chat.listening import CannotListen
    from chat.processes import Processes, refusal

    if refused := refusal(settings, processes):
        typer.echo(refused, err=True)
        raise typer.Exit(3)
    try:
        parent = Processes(settings, processes)
    except CannotListen as error:
        raise _fail(f"Nightdesk cannot listen on {error}. Change NIGHTDESK_LISTEN.") from None
    raise typer.Exit(_run(parent.run(lambda: _ready(settings, processes, as_json=as_json))))


def _serve_at(settings: Settings, place: int, inherited: int, figures: int | None) -> None:
    """One of many: the parent made the sockets."""
    import socket

    from chat import program
    from chat.child import LEAVING, follow_parent, tell_parent
    from chat.logs import configure
    from chat.server import serve as run

    configure(settings, sys.stdout, place)
    follow_parent()
    desk = program.ready_desk(settings)
    listener = desk.metrics.listener if desk.metrics is not None else None
    if listener is not None and figures is not None:
        listener.inherited = socket.socket(fileno=figures)

    async def retire() -> None:
        tell_parent(LEAVING)
        if listener is not None:
            # Its successor answers there: two in turn would look like counters that fall and leap.
            await listener.stop()
        await desk.retire()

    run(desk.starlette(), settings, socket.socket(fileno=inherited), tell_parent, retire)


def _ready(settings: Settings, processes: int, *, as_json: bool) -> None:
    if as_json:
        said = {"url": settings.base_url, "processes": processes, "ready_seconds": time.monotonic() - STARTED}
        typer.echo(json.dumps(said))
    else:
        many = f" with {processes} processes" if processes > 1 else ""
        typer.echo(f"Nightdesk answers at {settings.base_url}{many}", err=True)


@cli.command()
def worker() -> None:
    """Carries out the outbox: tickets of messages that were left, and what else must have an effect elsewhere."""
    from chat import program

    settings = _settings(log_to=sys.stdout)
    program.run_worker(settings)


@cli.command()
def migrate(check: Annotated[bool, typer.Option("--check", help="Only ask: 0 at head, 1 behind.")] = False) -> None:
    """Brings the database to the newest schema. SQLite: after a copy of the file."""
    from chat import program

    settings = _settings()
    if check:
        current, head = _run(program.standing(settings))
        typer.echo(f"database {current or 'empty'}, program {head}")
        raise typer.Exit(1 if program.is_behind(current) else 0)
    changed = _run(program.migrate_now(settings))
    typer.echo("The schema is at head now." if changed else "The schema was at head already.")


@cli.command()
def doctor(as_json: Json = False) -> None:
    """Says what is configured, what is reachable, what is wrong and how to mend it."""
    from chat.doctor import examine

    findings = _run(examine(_settings()))
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.says}")
            if finding.mend:
                typer.echo(f"      {finding.mend}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@cli.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to make, or a folder for it.")],
    as_json: Json = False,
) -> None:
    """Copies database, keys and uploads into one file while the desk serves."""
    from chat.operations.archive import CopyRefused
    from chat.operations.copies import back_up

    _tidy_when_told()
    try:
        made, manifest = back_up(_settings(), target)
    except CopyRefused as refused:
        raise _fail(str(refused)) from None
    if as_json:
        said = {"file": str(made), "bytes": made.stat().st_size, "rows": manifest.rows, "schema": manifest.schema}
        typer.echo(json.dumps(said | {"conversations": manifest.conversations}))
    else:
        typer.echo(f"{made}: {manifest.conversations} conversations, {manifest.rows} rows, schema {manifest.schema}.")
        typer.echo("It holds what people said, and keys: keep it where only you can read it.")


@cli.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file that `nightdesk backup` made.")],
    is_drill: Annotated[bool, typer.Option("--drill", help="Proves the copy in a throw-away place.")] = False,
    as_json: Json = False,
) -> None:
    """Restores a copy into an empty place, or proves with --drill that it could be."""
    from chat.operations import copies
    from chat.operations.archive import CopyRefused

    settings = _settings()
    _tidy_when_told()
    try:
        manifest = copies.drill(settings, source) if is_drill else copies.restore(settings, source)
    except CopyRefused as refused:
        if as_json:
            typer.echo(json.dumps({"good": False, "because": str(refused)}))
        raise _fail(str(refused)) from None
    if as_json:
        said = {"good": True, "made_at": manifest.made_at, "rows": manifest.rows, "schema": manifest.schema}
        typer.echo(json.dumps(said | {"conversations": manifest.conversations}))
        return
    what = f"{manifest.conversations} conversations, {manifest.rows} rows of {manifest.made_at}"
    typer.echo(f"The copy is good: {what}, all streams whole." if is_drill else f"Restored: {what}.")


def _tidy_when_told() -> None:
    """Told to end, what was begun is taken away first, as after Ctrl+C: it is a whole copy of what people said."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────────


@operators.command("add")
def operator_add(
    email: Annotated[str, typer.Option(help="Address to sign in with.")],
    name: Annotated[str, typer.Option(help="Name that visitors read.")],
    department: Annotated[list[str] | None, typer.Option(help="Slug; may be repeated. None: all.")] = None,
    role: Annotated[str, typer.Option(help="operator, supervisor or administrator")] = "operator",
    language: Annotated[str, typer.Option(help="en or sl")] = "en",
    capacity: Annotated[int, typer.Option(help="Conversations at once.", min=1, max=50)] = 5,
    as_json: Json = False,
) -> None:
    """Adds an operator and prints a sign-in link that works once."""
    from chat import program

    settings = _settings()
    try:
        link = _run(program.add_operator(settings, email, name, department or [], role, language, capacity))
    except ValueError as error:
        raise _fail(str(error)) from None
    typer.echo(json.dumps({"email": email, "sign_in": link}) if as_json else f"{name} signs in once at {link}")


@operators.command("list")
def operator_list(as_json: Json = False) -> None:
    """All operators, a line each."""
    from chat import program

    found = _run(program.list_operators(_settings()))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for row in found:
        state = ("here" if row["present"] else "absent") if row["active"] else "deactivated"
        typer.echo(f"{row['email']}  {row['name']}  {row['role']}  {state}  {row['load']} of {row['capacity']}")


@operators.command("password")
def operator_password(email: Annotated[str, typer.Option(help="Whose.")]) -> None:
    """Sets a password, asked for on a terminal or read as one line from standard input. Ends all their sign-ins."""
    from chat import program

    settings = _settings()
    password = getpass.getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    _changed(program.set_password(settings, email, password))
    typer.echo("The password is set; all earlier sign-ins have ended.")


@operators.command("role")
def operator_role(
    email: Annotated[str, typer.Option(help="Whose.")],
    role: Annotated[str, typer.Option(help="operator, supervisor or administrator")],
) -> None:
    """Gives another role. Ends all their sign-ins: open consoles close within two seconds."""
    from chat import program

    _changed(program.set_role(_settings(), email, role))
    typer.echo(f"{email} is {role} now; all earlier sign-ins have ended.")


@operators.command("deactivate")
def operator_deactivate(email: Annotated[str, typer.Option(help="Who leaves.")]) -> None:
    """Ends an operator's access: signed out everywhere, and their conversations go back to the queue."""
    from chat import program

    _changed(program.set_active(_settings(), email, active=False))
    typer.echo(f"{email} cannot come in any more; open consoles close within two seconds.")


@operators.command("activate")
def operator_activate(email: Annotated[str, typer.Option(help="Who comes back.")]) -> None:
    """Lets an operator in again."""
    from chat import program

    _changed(program.set_active(_settings(), email, active=True))
    typer.echo(f"{email} may sign in again.")


@operators.command("sign-out")
def operator_sign_out(email: Annotated[str, typer.Option(help="Whose.")]) -> None:
    """Ends all sign-ins of an operator, of a lost machine, say."""
    from chat import program

    _changed(program.sign_out(_settings(), email))
    typer.echo(f"{email} is signed out everywhere.")


@visitors.command("end")
def visitor_end(conversation: Annotated[str, typer.Option(help="Id of a conversation of theirs.")]) -> None:
    """Ends a visitor's access: their token is worth nothing any more, open widgets close within two seconds."""
    from chat import program

    _changed(program.end_visitor(_settings(), conversation))
    typer.echo("The visitor's access has ended. What was said is kept.")


def _changed(work: Coroutine[Any, Any, None]) -> None:
    try:
        _run(work)
    except (ValueError, LookupError) as error:
        raise _fail(str(error)) from None


# ── sites ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@sites.command("add")
def site_add(
    name: Annotated[str, typer.Option(help="Name that visitors read.")],
    origin: Annotated[list[str], typer.Option(help="https://www.acme.si; may be repeated.")],
    key: Annotated[str | None, typer.Option(help="Public name in the script tag; made up when missing.")] = None,
    language: Annotated[str, typer.Option(help="en or sl")] = "en",
    as_json: Json = False,
) -> None:
    """Adds a web site and prints the line to paste into its pages."""
    from chat import program

    settings = _settings()
    for one in origin:
        parts = urlsplit(one)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise _fail(f"{one} is no origin: write https://www.acme.si, without a path.")
    key = key or secrets.token_hex(6)
    try:
        _run(program.add_site(settings, key, name, origin, language))
    except ValueError as error:
        raise _fail(str(error)) from None
    tag = program.snippet(settings, key)
    typer.echo(json.dumps({"key": key, "snippet": tag}) if as_json else tag)


@sites.command("list")
def site_list(as_json: Json = False) -> None:
    """All web sites, a line each."""
    from chat import program

    found = _run(program.list_sites(_settings()))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for row in found:
        typer.echo(f"{row['key']}  {row['name']}  {' '.join(row['origins'])}")


@sites.command("snippet")
def site_snippet(key: Annotated[str, typer.Argument(help="Key of the site.")]) -> None:
    """Prints the line to paste into the pages of a site."""
    from chat import program

    settings = _settings()
    if key not in {row["key"] for row in _run(program.list_sites(settings))}:
        raise _fail(f"There is no site {key}. `nightdesk site list` shows all.")
    typer.echo(program.snippet(settings, key))


@sites.command("secret")
def site_secret(
    key: Annotated[str, typer.Argument(help="Key of the site.")],
    renew: Annotated[
        bool, typer.Option("--renew", help="A new one; the one before it counts for another day.")
    ] = False,
    leaked: Annotated[bool, typer.Option("--leaked", help="A new one; the one before it counts no longer.")] = False,
    as_json: Json = False,
) -> None:
    """Prints the secret by which this site signs who its customers are."""
    from chat import program

    try:
        found = _run(program.site_secret(_settings(), key, renew=renew, at_once=leaked))
    except LookupError as error:
        raise _fail(str(error)) from None
    typer.echo(json.dumps({"key": key, "secret": found}) if as_json else found)


# ── the company's records ────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _registry() -> AsyncIterator[Opened]:
    from chat import program

    settings = _settings()
    async with program.opened(settings) as db:
        yield Opened(db, settings.locales)


for _name, _commands in registry_commands(_registry).items():
    cli.add_typer(_commands, name=_name)
