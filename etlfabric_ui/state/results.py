"""Rows of a result as pages show them: NULL is not the empty string, numbers stand right."""

from __future__ import annotations

import csv
import io
from typing import Any

from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_ui.views.data import Cell, ColumnHead

LONG = 200
NUMERIC = ("int", "numeric", "double", "real", "bigint", "smallint", "float")


def heads(columns: tuple[ColumnInfo, ...]) -> list[ColumnHead]:
    """Columns with their types."""
    return [ColumnHead(one.name, one.type, one.type.startswith(NUMERIC)) for one in columns]


def cells(result: TableResult) -> list[list[Cell]]:
    """Rows, each value at most 200 characters."""
    right = [one.type.startswith(NUMERIC) for one in result.columns]
    return [
        [cell(value, is_number) for value, is_number in zip(row, right, strict=True)]
        for row in result.rows
    ]


def cell(value: Any, is_number: bool = False) -> Cell:
    """One value."""
    if value is None:
        return Cell("NULL", "null num" if is_number else "null")
    if value == "":
        return Cell("''", "null")
    if isinstance(value, bool):
        return Cell(str(value).lower())
    text = str(value)
    if is_number:
        return Cell(text, "num")
    return Cell(text if len(text) <= LONG else f"{text[:LONG]}…")


def csv_of(names: list[str], rows: list[list[Any]]) -> str:
    """Small results as a file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()
