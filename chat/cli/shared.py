"""What all commands need: settings or exit 3, one loop, and words for a failure."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TextIO, TypeVar

import typer

from chat.settings import Settings, SettingsRefused, load_settings

STARTED = time.monotonic()
T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="One JSON line, for machines.")]


def settings_of(*, log_to: TextIO | None = None, **overrides: Any) -> Settings:
    """Exit 3 where they are refused."""
    try:
        settings = load_settings(**overrides)
    except SettingsRefused as refused:
        for fault in refused.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(3) from None
    from chat.logs import configure

    configure(settings, log_to)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def fail(message: str) -> typer.Exit:
    """To be raised: exit 1."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def changed(work: Coroutine[Any, Any, None]) -> None:
    """Exit 1 where there is nobody, or nothing, to change."""
    try:
        run(work)
    except (ValueError, LookupError) as error:
        raise fail(str(error)) from None
