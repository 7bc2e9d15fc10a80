"""`etlfabric usage`, `etlfabric overview`, `etlfabric quotas …`"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, print_rows, show
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.services import overview as overviews
from etlfabric_dagster.services import quotas
from etlfabric_dagster.services import usage as usages
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="What orgs may use.", no_args_is_help=True)


def usage(
    org: str,
    date_from: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    date_to: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rows, bytes and seconds by pipeline and day; 30 days until today by default."""
    first, last = (day.date() if day else None for day in (date_from, date_to))
    report = scoped(org, lambda scope: usages.report(scope, first, last))
    if as_json:
        print_json(report)
        return
    columns = ("day", "pipeline", "rows", "bytes", "run_s", "runs", "failed_runs")
    rows = [[getattr(item, name) for name in columns] for item in report.items]
    total = [getattr(report.total, name) for name in columns[2:]]
    print_rows(columns, [*rows, ["total", "", *total]])
    for warning in report.quota.warnings:
        err.print(warning, style="yellow", highlight=False)


def overview(org: str, as_json: AsJson = False) -> None:
    """What fails, what is late, what runs next, and how much was loaded."""
    found = scoped(org, overviews.show)
    if as_json:
        print_json(found)
        return
    out.print(
        f"{found.pipelines} pipelines: {found.fine} fine, {len(found.failing)} failing,"
        f" {len(found.late)} late. {found.rows_today:,} rows today.",
        highlight=False,
    )
    for brief in found.failing:
        why = brief.error.message if brief.error else "see its last run"
        out.print(f"{brief.name} fails: {why}", highlight=False, markup=False)
    for brief in found.late:
        out.print(f"{brief.name} is late since {brief.since:%Y-%m-%d %H:%M} UTC", highlight=False)


@app.command("set")
def set_(
    org: str,
    rows_per_month: Annotated[int | None, typer.Option(help="No limit when left out.")] = None,
    storage_bytes: Annotated[int | None, typer.Option(help="No limit when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set both limits of an org. From 80 % on it is warned, at 100 % runs are refused."""
    limits = {"rows_per_month": rows_per_month, "storage_bytes": storage_bytes}
    show(run(quotas.set_quota(OPERATOR, org, **limits)), as_json)


@app.command("show")
def show_(org: str, as_json: AsJson = False) -> None:
    """The limits of an org, and what is used of them."""
    show(scoped(org, lambda scope: quotas.state(scope.session, scope.org_id)), as_json)
