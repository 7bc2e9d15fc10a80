"""`etlfabric users …`"""

from __future__ import annotations

from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, out, print_json, show, show_page
from etlfabric_dagster.services import tokens, users
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="People and their tokens.", no_args_is_help=True)


@app.command()
def create(
    email: str,
    operator: Annotated[bool, typer.Option("--operator", help="May see every org.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register a person."""
    user = run(users.create(OPERATOR, email, operator=operator))
    show(user, as_json, lambda: f"Created {user.email}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Everybody."""
    page = run(users.list_users(OPERATOR))
    show_page(page, as_json, ("email", "is_operator", "created_at"), "No users yet.")


@app.command("show")
def show_(email: str, as_json: AsJson = False) -> None:
    """One person."""
    show(run(users.get(OPERATOR, email)), as_json)


@app.command("one-time-password")
def one_time_password(email: str, as_json: AsJson = False) -> None:
    """Set a password that opens nothing but its own change; it is shown this once."""
    password = run(users.one_time_password(OPERATOR, email))
    if as_json:
        print_json({"email": email, "password": password})
    else:
        out.print(password, highlight=False, markup=False)


@app.command()
def disable(email: str, as_json: AsJson = False) -> None:
    """Shut a person out at once, sessions and tokens included."""
    user = run(users.set_disabled(OPERATOR, email, disabled=True))
    show(user, as_json, lambda: f"{user.email} is shut out.")


@app.command()
def enable(email: str, as_json: AsJson = False) -> None:
    """Let a person in again."""
    user = run(users.set_disabled(OPERATOR, email, disabled=False))
    show(user, as_json, lambda: f"{user.email} may sign in again.")


@app.command()
def token(email: str, as_json: AsJson = False) -> None:
    """Issue an API token that acts as the person; it is shown this once."""
    issued = run(tokens.issue_for(OPERATOR, email))
    show(issued, as_json, lambda: issued.token)


@app.command("sessions")
def sessions_(email: str, as_json: AsJson = False) -> None:
    """Where a person is signed in."""
    page = run(users.sessions_of(OPERATOR, email))
    columns = ("id", "user_agent", "address", "created_at", "expires_at")
    show_page(page, as_json, columns, f"{email} is signed in nowhere.")


@app.command()
def logout(email: str, as_json: AsJson = False) -> None:
    """Sign a person out everywhere, at once; they may sign in again, and their tokens go on."""
    user = run(users.sign_out(OPERATOR, email))
    show(user, as_json, lambda: f"{user.email} is signed out everywhere.")
