"""`etlfabric schedules …`"""

from __future__ import annotations

from typing import Annotated

import typer

from etlfabric_dagster.cli.output import AsJson, out, print_json, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services import schedules

app = typer.Typer(help="When pipelines run.", no_args_is_help=True)


@app.command("set")
def set_(
    org: str,
    pipeline: str,
    cron: Annotated[str | None, typer.Option(help="Five fields, as in '*/15 * * * *'.")] = None,
    every: Annotated[int | None, typer.Option(help="Interval in seconds.")] = None,
    timezone: Annotated[str, typer.Option(help="IANA name.")] = "UTC",
    jitter_s: Annotated[
        int, typer.Option("--jitter-s", help="Up to so many seconds later, to spread the load.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Give a pipeline its schedule, replacing the one it had."""
    made = scoped(
        org,
        lambda scope: schedules.set_schedule(
            scope, pipeline, cron=cron, interval_s=every, timezone=timezone, jitter_s=jitter_s
        ),
    )
    show(made, as_json, lambda: f"Next run of {pipeline}: {made.next_fire_at:%Y-%m-%d %H:%M %Z}.")


@app.command()
def remove(org: str, pipeline: str, as_json: AsJson = False) -> None:
    """Remove the schedule; runs can still be started by hand."""
    scoped(org, lambda scope: schedules.remove(scope, pipeline))
    if as_json:
        print_json({"removed": pipeline})
    else:
        out.print(f"{pipeline} has no schedule any more.", highlight=False)


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """All schedules of an org."""
    page = scoped(org, schedules.list_schedules)
    page = page if isinstance(page, Page) else Page(items=tuple(page))
    columns = ("pipeline", "cron", "interval_s", "timezone", "jitter_s", "next_fire_at", "paused")
    show_page(page, as_json, columns, "No schedules. Runs start only by hand.")
