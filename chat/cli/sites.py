"""Commands about the web sites that embed the widget."""

import json
import secrets
from typing import Annotated
from urllib.parse import urlsplit

import typer

from chat.cli.shared import Json, fail, run, settings_of

sites = typer.Typer(no_args_is_help=True, help="Web sites that embed the widget.")


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

    settings = settings_of()
    for one in origin:
        parts = urlsplit(one)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise fail(f"{one} is no origin: write https://www.acme.si, without a path.")
    key = key or secrets.token_hex(6)
    try:
        run(program.add_site(settings, key, name, origin, language))
    except ValueError as error:
        raise fail(str(error)) from None
    tag = program.snippet(settings, key)
    typer.echo(json.dumps({"key": key, "snippet": tag}) if as_json else tag)


@sites.command("list")
def site_list(as_json: Json = False) -> None:
    """All web sites, a line each."""
    from chat import program

    found = run(program.list_sites(settings_of()))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for row in found:
        typer.echo(f"{row['key']}  {row['name']}  {' '.join(row['origins'])}")


@sites.command("snippet")
def site_snippet(key: Annotated[str, typer.Argument(help="Key of the site.")]) -> None:
    """Prints the line to paste into the pages of a site."""
    from chat import program

    settings = settings_of()
    if key not in {row["key"] for row in run(program.list_sites(settings))}:
        raise fail(f"There is no site {key}. `nightdesk site list` shows all.")
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
        found = run(program.site_secret(settings_of(), key, renew=renew, at_once=leaked))
    except LookupError as error:
        raise fail(str(error)) from None
    typer.echo(json.dumps({"key": key, "secret": found}) if as_json else found)
