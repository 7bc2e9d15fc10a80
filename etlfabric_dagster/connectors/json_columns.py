"""Columns of records: where one stands in a record, and which columns records become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from dlt.common.schema import Schema
from dlt.common.schema.utils import autodetect_sc_type

from etlfabric_dagster.connectors.json_records import MAX_NESTING
from etlfabric_dagster.connectors.rawfile import raw_name
from etlfabric_dagster.schemas.streams import ColumnInfo


def field_getter(column: str) -> Callable[[dict[str, Any]], Any]:
    """A function that takes the value of `column` (as the raw table names it, or as the source
    does) out of a record; None where the record has no such field.
    """
    path: list[str] = []

    def get(record: dict[str, Any]) -> Any:
        nonlocal path
        value = _at(record, path) if path else None
        if value is None:
            path = _find(record, column) or path
            value = _at(record, path) if path else None
        return value

    return get


def _find(record: dict[str, Any], column: str) -> list[str] | None:
    if column in record:
        return [column]
    for key, value in record.items():
        name = raw_name(key)
        if name == column:
            return [key]
        if isinstance(value, dict) and column.startswith(f"{name}__"):
            below = _find(value, column.removeprefix(f"{name}__"))
            if below:
                return [key, *below]
    return None


def _at(record: Any, path: list[str]) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def infer_columns(records: Iterable[dict[str, Any]]) -> tuple[ColumnInfo, ...]:
    """The columns that records become in their raw table, with dlt's types; child tables apart.

    Columns that are NULL in all of them are left out: dlt does not create them either.
    """
    schema = Schema("inferred")
    normalizer: Any = schema.data_item_normalizer
    normalizer.max_nesting = MAX_NESTING
    kinds: dict[str, set[str]] = {}
    filled: Counter[str] = Counter()
    total = 0
    for record in records:
        total += 1
        _, row = next(iter(schema.normalize_data_item(record, "0", "root")))
        for name, value in row.items():
            if value is not None and not name.startswith("_dlt_"):
                kinds.setdefault(name, set()).add(_kind(schema, value))
                filled[name] += 1
    return tuple(
        ColumnInfo(name=name, type=_widest(kinds[name]), nullable=filled[name] < total)
        for name in kinds
    )


def _kind(schema: Schema, value: Any) -> str:
    if isinstance(value, dict | list):
        return "json"
    detected = autodetect_sc_type(schema._type_detections, type(value), value)
    return detected or schema.data_item_normalizer.py_type_to_sc_type(type(value))


def _widest(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "double" if kinds == {"bigint", "double"} else "text"
