"""`etlfabric db upgrade`: the platform's tables and every tenant's."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.progress import Progress

from etlfabric_dagster.cli.output import AsJson, print_json
from etlfabric_dagster.services.migrations import upgrade_all

app = typer.Typer(help="The platform's database.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    """Add the commands to the main app."""
    main.add_typer(app, name="db")


@app.callback()
def group() -> None:
    """Commands on the platform's database."""


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Migrate the platform's tables and every tenant's. Resumable."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("tenants", total=None)
        count = upgrade_all(lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        print_json({"tenants_migrated": count})
    else:
        console.print(f"The database is up to date; {count} tenants migrated.")
