"""A source column, and the PostgreSQL type its values become."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source has it.

    `kind` orders cursors: `time`, `date`, `number`, `float` or `other`. `note` says how values
    change form on the way, empty when they arrive as they are.
    """

    name: str
    type: str
    pg_type: str
    nullable: bool = True
    kind: str = "other"
    note: str = ""


_KINDS = {
    "smallint": "number",
    "integer": "number",
    "bigint": "number",
    "numeric": "number",
    "real": "float",
    "double precision": "float",
    "date": "date",
}


def kind_of(pg_type: str) -> str:
    """The `kind` of a column by its PostgreSQL type."""
    if pg_type.endswith("[]"):
        return "other"
    base = pg_type.split("(")[0].strip()
    if base.startswith("timestamp"):
        return "time"
    return _KINDS.get(base, "other")
