"""Commands that serve until they are ended: the demo, the server or many of them, the worker."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from chat.cli.shared import STARTED, Json, fail, run, settings_of
from chat.settings import Settings


def demo(
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    as_json: Json = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep it; a folder `demo` in the data folder.")] = None,
) -> None:
    """Everything in one process on SQLite, with a demo site, operators and departments; prints the links."""
    from chat import demo as program
    from chat.listening import CannotListen, listening_socket
    from chat.server import serve as serve_on

    first = settings_of()
    try:
        sock = listening_socket("127.0.0.1", port)
    except CannotListen as error:
        raise fail(f"Nightdesk cannot listen on {error}. Another program uses the port: try --port 0.") from None
    actual = sock.getsockname()[1]
    settings = settings_of(
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

    serve_on(desk.starlette(), settings, sock, ready, desk.retire)


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
    settings = settings_of(log_to=None if as_json else sys.stdout)
    if place is not None and inherited is not None:
        _serve_at(settings, place, inherited, figures)
    elif processes > 1:
        _serve_many(settings, processes, as_json=as_json)
    else:
        _serve_alone(settings, as_json=as_json)


def _serve_alone(settings: Settings, *, as_json: bool) -> None:
    from chat import program
    from chat.listening import CannotListen, listening_socket
    from chat.server import serve as serve_on

    desk = program.ready_desk(settings)
    try:
        sock = listening_socket(settings.listen_host, settings.listen_port)
    except CannotListen as error:
        raise fail(f"Nightdesk cannot listen on {error}. Change NIGHTDESK_LISTEN.") from None
    serve_on(desk.starlette(), settings, sock, lambda: _ready(settings, 1, as_json=as_json), desk.retire)


def _serve_many(settings: Settings, processes: int, *, as_json: bool) -> None:
    from chat.listening import CannotListen
    from chat.processes import Processes, refusal

    if refused := refusal(settings, processes):
        typer.echo(refused, err=True)
        raise typer.Exit(3)
    try:
        parent = Processes(settings, processes)
    except CannotListen as error:
        raise fail(f"Nightdesk cannot listen on {error}. Change NIGHTDESK_LISTEN.") from None
    raise typer.Exit(run(parent.run(lambda: _ready(settings, processes, as_json=as_json))))


def _serve_at(settings: Settings, place: int, inherited: int, figures: int | None) -> None:
    """One of many: the parent made the sockets."""
    import socket

    from chat import program
    from chat.child import LEAVING, follow_parent, tell_parent
    from chat.logs import configure
    from chat.server import serve as serve_on

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

    serve_on(desk.starlette(), settings, socket.socket(fileno=inherited), tell_parent, retire)


def _ready(settings: Settings, processes: int, *, as_json: bool) -> None:
    if as_json:
        said = {"url": settings.base_url, "processes": processes, "ready_seconds": time.monotonic() - STARTED}
        typer.echo(json.dumps(said))
    else:
        many = f" with {processes} processes" if processes > 1 else ""
        typer.echo(f"Nightdesk answers at {settings.base_url}{many}", err=True)


def worker() -> None:
    """Carries out the outbox: tickets of messages that were left, and what else must have an effect elsewhere."""
    from chat import program

    settings = settings_of(log_to=sys.stdout)
    program.run_worker(settings)
