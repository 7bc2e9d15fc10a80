"""`etlfabric tokens …`: API tokens that open an org."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, out, print_json, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import tokens
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="API tokens that open an org.", no_args_is_help=True)


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """Tokens bound to the org, and members' tokens without that limit."""
    page = scoped(org, tokens.list_in_org)
    columns = ("id", "name", "email", "org", "role", "read_only", "expires_at", "last_used_at")
    show_page(page, as_json, columns, "No tokens open this org.")


@app.command()
def create(
    org: str,
    email: str,
    name: Annotated[str, typer.Option(help="What it is for.")] = "cli",
    role: Annotated[Role | None, typer.Option(help="The most it may do.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may change nothing.")] = False,
    days: Annotated[
        int, typer.Option(min=1, max=tokens.MAX_DAYS, help="How long it works.")
    ] = tokens.DEFAULT_DAYS,
    as_json: AsJson = False,
) -> None:
    """A token that acts as a member and opens this org only; it is shown this once."""
    limits = {"role": role, "read_only": read_only, "days": days}
    issued = run(tokens.issue_for(OPERATOR, email, name, org=org, **limits))
    show(issued, as_json, lambda: issued.token)


@app.command()
def revoke(org: str, token: UUID, as_json: AsJson = False) -> None:
    """End a token that is bound to the org, at once."""
    scoped(org, lambda scope: tokens.revoke_in_org(scope, token))
    if as_json:
        print_json({"id": str(token), "revoked": True})
    else:
        out.print(f"Revoked {token}.", highlight=False)
