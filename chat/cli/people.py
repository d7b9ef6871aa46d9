"""Commands about people: who answers, and who asks."""

import getpass
import json
import sys
from typing import Annotated

import typer

from chat.cli.shared import Json, changed, fail, run, settings_of

operators = typer.Typer(no_args_is_help=True, help="People who answer.")
visitors = typer.Typer(no_args_is_help=True, help="People who ask.")


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

    settings = settings_of()
    try:
        link = run(program.add_operator(settings, email, name, department or [], role, language, capacity))
    except ValueError as error:
        raise fail(str(error)) from None
    typer.echo(json.dumps({"email": email, "sign_in": link}) if as_json else f"{name} signs in once at {link}")


@operators.command("list")
def operator_list(as_json: Json = False) -> None:
    """All operators, a line each."""
    from chat import program

    found = run(program.list_operators(settings_of()))
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

    settings = settings_of()
    password = getpass.getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    changed(program.set_password(settings, email, password))
    typer.echo("The password is set; all earlier sign-ins have ended.")


@operators.command("role")
def operator_role(
    email: Annotated[str, typer.Option(help="Whose.")],
    role: Annotated[str, typer.Option(help="operator, supervisor or administrator")],
) -> None:
    """Gives another role. Ends all their sign-ins: open consoles close within two seconds."""
    from chat import program

    changed(program.set_role(settings_of(), email, role))
    typer.echo(f"{email} is {role} now; all earlier sign-ins have ended.")


@operators.command("deactivate")
def operator_deactivate(email: Annotated[str, typer.Option(help="Who leaves.")]) -> None:
    """Ends an operator's access: signed out everywhere, and their conversations go back to the queue."""
    from chat import program

    changed(program.set_active(settings_of(), email, active=False))
    typer.echo(f"{email} cannot come in any more; open consoles close within two seconds.")


@operators.command("activate")
def operator_activate(email: Annotated[str, typer.Option(help="Who comes back.")]) -> None:
    """Lets an operator in again."""
    from chat import program

    changed(program.set_active(settings_of(), email, active=True))
    typer.echo(f"{email} may sign in again.")


@operators.command("sign-out")
def operator_sign_out(email: Annotated[str, typer.Option(help="Whose.")]) -> None:
    """Ends all sign-ins of an operator, of a lost machine, say."""
    from chat import program

    changed(program.sign_out(settings_of(), email))
    typer.echo(f"{email} is signed out everywhere.")


@visitors.command("end")
def visitor_end(conversation: Annotated[str, typer.Option(help="Id of a conversation of theirs.")]) -> None:
    """Ends a visitor's access: their token is worth nothing any more, open widgets close within two seconds."""
    from chat import program

    changed(program.end_visitor(settings_of(), conversation))
    typer.echo("The visitor's access has ended. What was said is kept.")
