"""How commands print: one JSON object with --json, a calm table or a line otherwise."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.base import Page

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def wants_json() -> bool:
    """Whether this process was asked for JSON: errors then are JSON too."""
    return "--json" in sys.argv


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(plain, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def show(value: BaseModel, as_json: bool, text: Callable[[], str] | None = None) -> None:
    """One object: JSON, a sentence, or its fields."""
    if as_json:
        print_json(value)
    elif text:
        out.print(text(), highlight=False, markup=False)
    else:
        print_fields(value)


def show_page(page: Page[Any], as_json: bool, columns: Sequence[str], empty: str) -> None:
    """A list: JSON, a table of some fields, or why it is empty."""
    if as_json:
        print_json(page)
        return
    if not page.items:
        out.print(empty, highlight=False)
        return
    print_rows(columns, [[getattr(item, name) for name in columns] for item in page.items])
    if page.next:
        out.print(f"More: --cursor {page.next}", highlight=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A plain table."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    out.print(table)


def print_fields(value: BaseModel) -> None:
    """Name and value, a line each."""
    table = Table.grid(padding=(0, 2))
    for name, field in value.model_dump(mode="json").items():
        table.add_row(name, _text(field))
    out.print(table)


def print_error(error: FabricError) -> None:
    """What happened and what to do; JSON on standard output when JSON was asked for."""
    if wants_json():
        print_json({"error": error.as_dict()})
        return
    err.print(error.message, style="red", highlight=False, markup=False)
    if error.remedy:
        err.print(error.remedy, highlight=False, markup=False)


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
