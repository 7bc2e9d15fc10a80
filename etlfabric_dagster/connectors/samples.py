"""A few values of a stream, for the eye of the person who chooses how it is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from etlfabric_dagster.connectors.base import Samples
from etlfabric_dagster.connectors.json_columns import field_getter, infer_columns

ROWS, LONG = 3, 200


def of_records(records: Sequence[dict[str, Any]]) -> Samples:
    """Of the first of these records; columns that are NULL in all of them are left out."""
    shown = records[:ROWS]
    getters = {column.name: field_getter(column.name) for column in infer_columns(shown)}
    return {name: [text_of(get(record)) for record in shown] for name, get in getters.items()}


def text_of(value: Any) -> str | None:
    """A value as it is read: JSON for what has parts."""
    if value is None or isinstance(value, str):
        return value[:LONG] if value else value
    plain = json.dumps(value, default=str, ensure_ascii=False)
    return (json.loads(plain) if plain.startswith('"') else plain)[:LONG]
