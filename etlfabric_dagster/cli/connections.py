"""`etlfabric connections …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.files import read_object
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, print_rows, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.services import connections
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Configured sources of an org.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option(help="JSON file with the config.")]
Secrets = Annotated[Path | None, typer.Option(help="JSON file with the secrets.")]


@app.command()
def create(
    org: str,
    name: str,
    connector: Annotated[str, typer.Option(help="See: etlfabric connectors list")],
    config: Config = None,
    secrets: Secrets = None,
    as_json: AsJson = False,
) -> None:
    """Store a connection; nothing is dialled until you check it."""
    found = read_object(config), read_object(secrets)
    made = scoped(org, lambda scope: connections.create(scope, name, connector, *found))
    show(made, as_json, lambda: f"Created {name}. Try it: etlfabric connections check {org} {name}")


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """All connections of an org."""
    page = scoped(org, connections.list_connections)
    show_page(page, as_json, ("name", "connector", "checked_at"), "No connections yet.")


@app.command("show")
def show_(org: str, name: str, as_json: AsJson = False) -> None:
    """One connection, without its secrets."""
    show(scoped(org, lambda scope: connections.get(scope, name)), as_json)


@app.command()
def update(
    org: str, name: str, config: Config = None, secrets: Secrets = None, as_json: AsJson = False
) -> None:
    """Replace the config, and those secrets that the file names; others stay."""
    new_config = read_object(config) if config else None
    new_secrets = read_object(secrets) if secrets else None
    changed = scoped(
        org,
        lambda scope: connections.update(scope, name, config=new_config, secrets=new_secrets),
    )
    show(changed, as_json, lambda: f"Saved {name}.")


@app.command()
def delete(org: str, name: str, as_json: AsJson = False) -> None:
    """Delete a connection and its credentials; loaded tables stay."""
    scoped(org, lambda scope: connections.delete(scope, name))
    if as_json:
        print_json({"deleted": name})
    else:
        out.print(f"Deleted {name}; loaded tables stay.", highlight=False)


@app.command()
def check(org: str, name: str, as_json: AsJson = False) -> None:
    """Try the connection for real. Exit status 1 when it does not work."""
    with err.status(f"Connecting to {name} …"):
        result = run(connections.check(OPERATOR, org, name))
    if as_json:
        print_json(result)
    else:
        for step in result.steps:
            out.print(f"{'✓' if step.ok else '✕'} {step.name}  {step.detail}", highlight=False)
        if not result.ok:
            err.print(result.cause, style="red", highlight=False, markup=False)
            err.print(result.remedy, highlight=False, markup=False)
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def discover(org: str, name: str, as_json: AsJson = False) -> None:
    """What the connection offers; nothing is loaded."""
    with err.status(f"Reading the streams of {name} …"):
        found = run(connections.discover(OPERATOR, org, name))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            stream.name,
            len(stream.columns),
            ", ".join(stream.primary_key) or "—",
            ", ".join(stream.cursor_candidates) or "—",
            stream.row_estimate,
        )
        for stream in found.streams
    ]
    print_rows(("stream", "columns", "key", "cursor candidates", "rows, about"), rows)
