"""`etlfabric audit …`"""

from __future__ import annotations

from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Who changed what.", no_args_is_help=True)


@app.command("list")
def list_(
    org: Annotated[str | None, typer.Argument(help="Without it: what belongs to no org.")] = None,
    action: Annotated[str | None, typer.Option(help="A domain, or one action.")] = None,
    cursor: str | None = None,
    as_json: AsJson = False,
) -> None:
    """Events, newest first."""
    if org is None:
        page = run(audit.list_platform(OPERATOR, cursor))
    else:
        page = scoped(org, lambda scope: audit.list_events(scope, action=action, cursor=cursor))
    show_page(page, as_json, ("at", "actor", "via", "action", "target"), "No events yet.")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Walk all chains and name what is not as it was written. Exit status 1 when something is."""
    report = run(audit.verify(OPERATOR))
    if as_json:
        print_json(report)
    elif report.ok:
        out.print(f"{report.events} events in {report.chains} chains are as they were written.")
    for one in () if as_json else report.broken:
        where = f"org {one.org}" if one.org else "the platform or an erased org"
        err.print(f"Event {one.seq} of {where} ({one.event_id}): {one.reason}.", style="red")
    raise typer.Exit(0 if report.ok else 1)
