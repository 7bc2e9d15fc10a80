"""`etlfabric pipelines …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.files import read_object
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, print_rows, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.streams import SchemaPolicy
from etlfabric_dagster.services import pipelines, renaming
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="What is loaded and transformed together.", no_args_is_help=True)

StreamsFile = Annotated[
    str | None, typer.Option(help="JSON file with streams, or `all`.", metavar="FILE|all")
]
Policy = Annotated[SchemaPolicy | None, typer.Option(help="What to do with new columns.")]
Models = Annotated[str | None, typer.Option(help="dbt selector; default: all downstream.")]


@app.command()
def create(
    org: str,
    name: str,
    connection: Annotated[str | None, typer.Option(help="Without: transform only.")] = None,
    streams: StreamsFile = "all",
    table_prefix: Annotated[str | None, typer.Option(help="Default: CONNECTION__")] = None,
    schema_policy: Policy = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Create a pipeline; the connection is asked for its streams first."""
    with err.status(f"Creating {name} …"):
        made = run(
            pipelines.create(
                OPERATOR,
                org,
                name,
                connection=connection,
                streams=_streams(streams) or "all",
                table_prefix=table_prefix,
                schema_policy=schema_policy or SchemaPolicy.EVOLVE,
                models=models,
            )
        )
    show(made, as_json, lambda: f"Created {name}. Run it: etlfabric runs start {org} {name} --wait")


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """All pipelines of an org."""
    page = scoped(org, pipelines.list_pipelines)
    columns = ("name", "connection", "table_prefix", "schema_policy", "paused")
    show_page(page, as_json, columns, "No pipelines yet.")


@app.command("show")
def show_(org: str, name: str, as_json: AsJson = False) -> None:
    """One pipeline with its streams."""
    found = scoped(org, lambda scope: pipelines.get(scope, name))
    if as_json:
        print_json(found)
    else:
        _print(found)


@app.command()
def update(
    org: str,
    name: str,
    streams: StreamsFile = None,
    schema_policy: Policy = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Change streams, schema policy or dbt selector."""
    with err.status(f"Saving {name} …"):
        changed = run(
            pipelines.update(
                OPERATOR,
                org,
                name,
                streams=_streams(streams),
                schema_policy=schema_policy,
                models=models,
            )
        )
    show(changed, as_json, lambda: f"Saved {name}.")


@app.command()
def rename(org: str, name: str, new_name: str, as_json: AsJson = False) -> None:
    """Give it another name; history and schedule go with it, tables keep theirs."""
    changed = scoped(org, lambda scope: renaming.rename_pipeline(scope, name, new_name))
    show(changed, as_json, lambda: f"{name} is {new_name} now.")


@app.command()
def delete(org: str, name: str, as_json: AsJson = False) -> None:
    """Delete a pipeline and its schedule; loaded tables and its runs' history stay."""
    run(pipelines.delete(OPERATOR, org, name))
    if as_json:
        print_json({"deleted": name})
    else:
        out.print(f"Deleted {name}; loaded tables stay.", highlight=False)


@app.command()
def pause(org: str, name: str, as_json: AsJson = False) -> None:
    """Stop its schedule; runs can still be started by hand."""
    changed = scoped(org, lambda scope: pipelines.set_paused(scope, name, paused=True))
    show(changed, as_json, lambda: f"{name} is paused.")


@app.command()
def resume(org: str, name: str, as_json: AsJson = False) -> None:
    """Let its schedule go on, without catching up."""
    changed = scoped(org, lambda scope: pipelines.set_paused(scope, name, paused=False))
    show(changed, as_json, lambda: f"{name} goes on.")


def _streams(given: str | None) -> pipelines.Streams | None:
    if given is None or given == "all":
        return given
    return read_object(Path(given))


def _print(pipeline: PipelineOut) -> None:
    source = pipeline.connection or "no connection (transform only)"
    out.print(f"{pipeline.name}: {source}, schema policy {pipeline.schema_policy}", highlight=False)
    rows = [
        (s.name, s.table, s.mode, s.cursor, ", ".join(s.primary_key) or None, s.selected)
        for s in pipeline.streams
    ]
    print_rows(("stream", "table", "mode", "cursor", "key", "selected"), rows)
