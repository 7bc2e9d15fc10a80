"""`etlfabric data …` and `etlfabric lineage`"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.dbt_models import print_table
from etlfabric_dagster.cli.output import AsJson, print_json, print_rows, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.data import DataLayer
from etlfabric_dagster.services import data
from etlfabric_dagster.services import lineage as lineages
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Tables of an org's data.", no_args_is_help=True)


@app.command("list")
def list_(
    org: str,
    schema: DataLayer | None = None,
    q: Annotated[str | None, typer.Option(help="Part of the name.")] = None,
    cursor: str | None = None,
    as_json: AsJson = False,
) -> None:
    """Tables and views with row estimates and sizes."""
    page = scoped(org, lambda scope: data.list_tables(scope, layer=schema, q=q, cursor=cursor))
    columns = ("db_schema", "name", "kind", "rows_estimate", "size_bytes", "columns")
    show_page(page, as_json, columns, "No tables yet: they come with the first run.")


@app.command("show")
def show_(org: str, schema: DataLayer, table: str, as_json: AsJson = False) -> None:
    """One table with its columns."""
    found = scoped(org, lambda scope: data.describe(scope, schema, table))
    if as_json:
        print_json(found)
    else:
        rows = [(column.name, column.type, column.nullable) for column in found.column_list]
        print_rows(("column", "type", "nullable"), rows)


@app.command()
def rows(
    org: str,
    schema: DataLayer,
    table: str,
    order_by: str | None = None,
    descending: Annotated[bool, typer.Option("--descending")] = False,
    offset: int = 0,
    limit: int = 100,
    as_json: AsJson = False,
) -> None:
    """Some rows of a table."""
    found = run(
        data.rows(
            OPERATOR,
            org,
            schema,
            table,
            order_by=order_by,
            descending=descending,
            offset=offset,
            limit=limit,
        )
    )
    print_table(found, as_json)


@app.command()
def profile(org: str, schema: DataLayer, table: str, as_json: AsJson = False) -> None:
    """Nulls, distinct values, least and greatest of each column."""
    found = run(data.profile(OPERATOR, org, schema, table))
    if as_json:
        print_json(found)
        return
    columns = ("name", "type", "nulls", "distinct", "min", "max")
    print_rows(columns, [[getattr(one, name) for name in columns] for one in found.columns])


@app.command()
def download(org: str, schema: DataLayer, table: str) -> None:
    """Write the whole table to standard output as CSV."""
    run(_write(org, schema, table))


def lineage(
    org: str,
    focus: Annotated[str | None, typer.Option(help="A node, as marts.orders.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Steps from the focus.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is made of what, from source to mart, and how each fares."""
    found = scoped(org, lambda scope: lineages.graph(scope, focus=focus, depth=depth))
    if as_json:
        print_json(found)
    else:
        states = {node.id: node.state for node in found.nodes}
        rows = [(parent, child, states[child]) for parent, child in found.edges]
        print_rows(("from", "to", "state"), rows)


async def _write(org: str, schema: DataLayer, table: str) -> None:
    async for piece in data.csv(OPERATOR, org, schema, table):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
