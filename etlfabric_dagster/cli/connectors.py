"""`etlfabric connectors …`"""

from __future__ import annotations

import typer

from etlfabric_dagster.cli.output import AsJson, print_json, print_rows, show_page
from etlfabric_dagster.connectors import registry
from etlfabric_dagster.schemas.base import Page

app = typer.Typer(help="Kinds of sources.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All connectors."""
    page = Page(items=tuple(registry.list()))
    show_page(page, as_json, ("name", "title", "group", "description"), "No connectors.")


@app.command()
def show(name: str, as_json: AsJson = False) -> None:
    """One connector with its config and secrets as JSON Schema."""
    spec = registry.get(name).spec
    if as_json:
        print_json(spec)
        return
    rows = [
        (field, "secret" if schema is spec.secrets_schema else "config", about.get("title", ""))
        for schema in (spec.config_schema, spec.secrets_schema)
        for field, about in schema.get("properties", {}).items()
    ]
    print_rows(("option", "kind", "meaning"), rows)
