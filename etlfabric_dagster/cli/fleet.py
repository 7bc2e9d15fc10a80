"""`etlfabric fleet …`"""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, out, print_json
from etlfabric_dagster.schemas.fleet import FleetStatus, OrgHealth
from etlfabric_dagster.services import fleet
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="All organisations of this install.", no_args_is_help=True)

WATCH_S = 2.0
COLUMNS = ("org", "status", "fresh", "failed 24 h", "queued", "running", "waits", "lag", "note")


@app.command()
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Again every 2 s, until ^C.")] = False,
    as_json: AsJson = False,
) -> None:
    """How all orgs stand, the worst first."""
    if not watch:
        found = run(fleet.status(OPERATOR))
        if as_json:
            print_json(found)
        else:
            out.print(_table(found))
        return
    with Live(console=out, auto_refresh=False) as live:
        while True:
            found = run(fleet.status(OPERATOR))
            live.update(_table(found), refresh=True)
            time.sleep(WATCH_S)


def _table(found: FleetStatus) -> Group:
    table = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for org in found.items:
        table.add_row(*_cells(org))
    totals = found.totals
    line = (
        f"{totals.orgs} orgs, {totals.active} active; {totals.failures} runs of {totals.failing}"
        f" orgs failed in 24 h; {totals.queued} queued, {totals.running} running;"
        f" longest wait {_age(totals.queue_s)}, greatest lag {_age(totals.lag_s)}"
    )
    return Group(table, line)


def _cells(org: OrgHealth) -> tuple[str, ...]:
    counts = (str(org.failures), str(org.queued), str(org.running))
    ages = (_age(org.queue_s), _age(org.lag_s))
    return (
        *(org.slug, org.status.value, _age(org.freshness_s)),
        *(*counts, *ages, (org.definitions_error or "").partition("\n")[0][:60]),
    )


def _age(seconds: float | None) -> str:
    """As people say it: 40 s, 12 min, 5 h, 3 d."""
    if seconds is None:
        return "never"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "—"
