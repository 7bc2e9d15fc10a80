"""Columns that held only NULLs: dlt knows no type for them and would not create them, and then a
model that selects them breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dlt.normalize.normalize

from etlfabric_dagster.sandbox.catalog import Tables

NullColumns = dict[str, set[str]]
"""Table → columns."""


@contextmanager
def recorded() -> Iterator[NullColumns]:
    """Collect what the normalizer finds while the block runs (dlt 1.31 only logs it)."""
    found: NullColumns = {}
    normalize: Any = dlt.normalize.normalize
    original = normalize.reconcile_null_only_columns

    def record(schema: Any, columns: Any) -> dict[str, Any]:
        result: dict[str, Any] = original(schema, columns)
        for table, listed in result.items():
            found.setdefault(table, set()).update(column["name"] for column in listed)
        return result

    normalize.reconcile_null_only_columns = record
    try:
        yield found
    finally:
        normalize.reconcile_null_only_columns = original


def missing(found: NullColumns, tables: Tables) -> dict[str, list[str]]:
    """Those that the tables lack. An object or list that was NULL is no column: its fields have
    columns (`{name}__…`), or its elements a table, of their own.
    """
    return {
        table: sorted(c for c in columns if c not in tables[table] and not _nests(c, table, tables))
        for table, columns in found.items()
        if table in tables
    }


def _nests(column: str, table: str, tables: Tables) -> bool:
    inner = any(name.startswith(f"{column}__") for name in tables[table])
    return inner or f"{table}__{column}" in tables
