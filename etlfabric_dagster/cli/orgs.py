"""`etlfabric orgs …`"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.org_files import read_specs
from etlfabric_dagster.cli.output import AsJson, err, show, show_page
from etlfabric_dagster.erasure import erase_org
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.fleet import CreateReport
from etlfabric_dagster.services import fleet, orgs
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Organisations.", no_args_is_help=True)


@app.command()
def create(
    slug: Annotated[str | None, typer.Argument(help="Unless a file is given.")] = None,
    name: Annotated[str | None, typer.Option(help="What people see.")] = None,
    from_file: Annotated[
        Path | None, typer.Option(help="Many at once: a CSV, JSONL or YAML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an org and its schemas, roles and code location; or many from a file."""
    if from_file is not None and slug is None and name is None:
        _create_many(from_file, as_json)
        return
    if slug is None or name is None or from_file is not None:
        raise typer.BadParameter("Give SLUG and --name, or --from-file alone.")
    org = run(orgs.create(OPERATOR, slug, name))
    show(org, as_json, lambda: f"Created {org.slug} ({org.name}).")


def _create_many(path: Path, as_json: bool) -> None:
    specs = read_specs(path)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("orgs", total=len(specs))
        report = run(fleet.create_many(OPERATOR, specs, lambda _: bar.advance(task)))
    show(report, as_json, lambda: _told(report))
    if report.failed:
        raise typer.Exit(1)


def _told(report: CreateReport) -> str:
    counts = (
        f"{len(report.created)} created, {len(report.existing)} existed,"
        f" {len(report.failed)} failed."
    )
    reasons = [f"{one.slug}: {one.message} {one.remedy}" for one in report.failed]
    return "\n".join([counts, *reasons])


@app.command()
def update(
    slug: str,
    max_concurrent_runs: Annotated[int | None, typer.Option(help="Runs at one time.")] = None,
    weight: Annotated[int | None, typer.Option(help="Share among orgs that wait.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change an org's share of the workers."""
    limits = {"max_concurrent_runs": max_concurrent_runs, "weight": weight}
    org = run(orgs.set_limits(OPERATOR, slug, **limits))
    text = f"{slug} runs {org.max_concurrent_runs} pipelines at a time, with weight {org.weight}."
    show(org, as_json, lambda: text)


@app.command("list")
def list_(cursor: str | None = None, as_json: AsJson = False) -> None:
    """All orgs."""
    page = run(orgs.list_orgs(OPERATOR, cursor))
    show_page(page, as_json, ("slug", "name", "status", "config_version"), "No orgs yet.")


@app.command("show")
def show_(slug: str, as_json: AsJson = False) -> None:
    """One org."""
    show(run(orgs.get(OPERATOR, slug)), as_json)


@app.command()
def suspend(slug: str, as_json: AsJson = False) -> None:
    """Cancel its runs, close its logins, skip its schedules. All data is kept."""
    org = run(orgs.suspend(OPERATOR, slug))
    show(org, as_json, lambda: f"{slug} is suspended; all its data is kept.")


@app.command()
def resume(slug: str, as_json: AsJson = False) -> None:
    """Open a suspended org again."""
    org = run(orgs.resume(OPERATOR, slug))
    show(org, as_json, lambda: f"{slug} is active.")


@app.command()
def export(slug: str, directory: Path, as_json: AsJson = False) -> None:
    """Write everything of an org as JSON, dbt files and CSV into a new directory."""
    service = import_module("etlfabric_dagster.services.export")  # 0.2 s, for this one alone
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("tables", total=None)

        def tell(table: str, done: int, total: int) -> None:
            bar.update(task, description=table, completed=done, total=total)

        report = run(service.export(OPERATOR, slug, directory, tell))
    text = f"Exported {slug}: {len(report.tables)} tables, {report.dbt_files} dbt files."
    show(report, as_json, lambda: text)


@app.command()
def erase(
    slug: str,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove everything.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the org: schemas, roles, credentials, runs, uploads, Dagster's records."""
    if not yes:
        raise InvalidInputError(
            f"Erasing {slug} removes all its data for good.", "Say so with --yes.", field="yes"
        )
    show(erase_org(OPERATOR, slug), as_json)
