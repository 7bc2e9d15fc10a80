"""`etlfabric db upgrade | prune`: the platform's tables and every tenant's; what they forget."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from etlfabric_dagster.cli.output import AsJson, print_json, show
from etlfabric_dagster.config import settings
from etlfabric_dagster.services.migrations import upgrade_all

app = typer.Typer(help="The platform's database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Commands on the platform's database."""


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget runs, run logs and Dagster's records older than ETLFABRIC_RETENTION_DAYS, now."""
    # Importing Dagster takes over a second: only who prunes pays for it.
    instances = import_module("etlfabric_dagster.orchestration.instance")
    retention = import_module("etlfabric_dagster.orchestration.retention")
    with instances.open_instance(settings) as instance:
        show(retention.prune(instance, dry_run=dry_run), as_json)


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
