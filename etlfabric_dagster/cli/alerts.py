"""`etlfabric alerts …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.files import read_text
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.alerts import AlertKind, ChannelKind
from etlfabric_dagster.services import alerts, deliveries, incidents
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Who is told when a pipeline needs a look.", no_args_is_help=True)

UrlFile = Annotated[
    Path | None, typer.Option("--url-file", help="File with the webhook's URL, which is a secret.")
]


@app.command("list")
def list_(
    org: str,
    open_only: Annotated[bool, typer.Option("--open", help="Only what has not ended.")] = False,
    pipeline: str | None = None,
    cursor: str | None = None,
    as_json: AsJson = False,
) -> None:
    """Incidents, newest first, and who was told."""
    page = scoped(
        org,
        lambda scope: incidents.list_incidents(
            scope, open_only=open_only, pipeline=pipeline, cursor=cursor
        ),
    )
    columns = ("opened_at", "kind", "pipeline", "occurrences", "recovered_at", "message")
    show_page(page, as_json, columns, "No incidents.")


@app.command()
def channels(org: str, as_json: AsJson = False) -> None:
    """Where messages go."""
    page = scoped(org, alerts.list_channels)
    show_page(page, as_json, ("name", "kind", "to", "host"), "No channels yet.")


@app.command()
def add_channel(
    org: str,
    name: str,
    kind: ChannelKind,
    to: Annotated[list[str] | None, typer.Option(help="Mail address; may be repeated.")] = None,
    url_file: UrlFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a channel: email, slack (and what speaks like it) or a signed webhook."""
    url = read_text(url_file).strip() if url_file else None
    made = scoped(org, lambda scope: alerts.create_channel(scope, name, kind, to=to or (), url=url))
    show(made, as_json)


@app.command()
def remove_channel(org: str, name: str, as_json: AsJson = False) -> None:
    """Remove a channel; refused while a rule uses it."""
    scoped(org, lambda scope: alerts.delete_channel(scope, name))
    _removed(name, as_json)


@app.command("test")
def send_test(org: str, channel: str, as_json: AsJson = False) -> None:
    """Send a test message now."""
    with err.status(f"Sending through {channel} …"):
        result = run(deliveries.test(OPERATOR, org, channel))
    show(result, as_json, lambda: "It was taken." if result.ok else result.cause)
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def rules(org: str, as_json: AsJson = False) -> None:
    """What is told to which channels."""
    page = scoped(org, alerts.list_rules)
    columns = ("name", "kinds", "pipelines", "channels", "enabled")
    show_page(page, as_json, columns, "No rules yet.")


@app.command()
def set_rule(
    org: str,
    name: str,
    channel: Annotated[list[str], typer.Option(help="May be repeated.")],
    kind: Annotated[list[AlertKind] | None, typer.Option(help="May be repeated.")] = None,
    pipeline: Annotated[list[str] | None, typer.Option(help="All when left out.")] = None,
    stale_after: Annotated[
        int | None, typer.Option(help="Seconds since the last good run.")
    ] = None,
    quiet_from: Annotated[str | None, typer.Option(help="HH:MM")] = None,
    quiet_to: Annotated[str | None, typer.Option(help="HH:MM")] = None,
    timezone: Annotated[str, typer.Option(help="IANA name, of the quiet hours.")] = "UTC",
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it, tell nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a rule or replace it. Failure and recovery when no kind is given."""
    settings = {
        "channels": channel,
        "kinds": kind or [AlertKind.FAILURE, AlertKind.RECOVERY],
        "pipelines": pipeline or None,
        "stale_after_s": stale_after,
        "quiet_from": quiet_from,
        "quiet_to": quiet_to,
        "timezone": timezone,
        "enabled": not disabled,
    }
    show(scoped(org, lambda scope: alerts.put_rule(scope, name, settings)), as_json)


@app.command()
def remove_rule(org: str, name: str, as_json: AsJson = False) -> None:
    """Remove a rule and its incidents."""
    scoped(org, lambda scope: alerts.delete_rule(scope, name))
    _removed(name, as_json)


def _removed(name: str, as_json: bool) -> None:
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"Removed {name}.", highlight=False)
