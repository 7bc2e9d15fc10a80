"""The data browser and lineage as they cross layers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.streams import ColumnInfo


class DataLayer(StrEnum):
    """The data schemas that people see."""

    RAW = "raw"
    STAGING = "staging"
    MARTS = "marts"


class TableInfo(Value):
    """A table or view of an org's data."""

    db_schema: DataLayer
    name: str
    kind: str
    """`table`, `view` or `materialized_view`."""
    rows_estimate: int | None
    """What Postgres last counted; None for views and before the first count."""
    size_bytes: int
    """With indexes; 0 for views."""
    columns: int


class TableDetail(TableInfo):
    """One table with its columns, in their order."""

    column_list: tuple[ColumnInfo, ...]


class ColumnProfile(Value):
    """What the values of one column look like, in the rows that were looked at."""

    name: str
    type: str
    nulls: int
    distinct: int
    min: str | None = None
    """As text, at most 200 characters; None where values have no order."""
    max: str | None = None
    top: tuple[tuple[str, int], ...] = ()
    """The five values met most, each with how often; as text, at most 100 characters."""


class RowFilter(Value):
    """Keeps rows by one column."""

    column: str
    kind: str
    """`contains`, `equals`, `above`, `below`, `null`, `not_null` or `empty`."""
    value: str = ""


class RowPage(Value):
    """Rows of a table, each value as text of at most 200 characters, and where to go on."""

    columns: tuple[ColumnInfo, ...]
    rows: tuple[tuple[str | None, ...], ...]
    places: tuple[str, ...]
    """Where each row stands, for `data.value`."""
    next: str | None
    """Cursor of the page behind; None for the last."""
    mean_bytes: float
    """Of a row as text, on this page; values are whole in it."""


class Profile(Value):
    """A table's columns by their values."""

    rows: int
    """Rows looked at."""
    complete: bool
    """Whether these are all rows."""
    columns: tuple[ColumnProfile, ...]


class NodeState(StrEnum):
    """How a node of the lineage fares. `never` until it was loaded or built."""

    FINE = "fine"
    LATE = "late"
    FAILED = "failed"
    NEVER = "never"


class LineageNode(Value):
    """A stream of a source, a raw table, or a dbt model, seed or snapshot."""

    id: str
    """`source.CONNECTION.STREAM` or `SCHEMA.NAME`."""
    layer: str
    """`source`, `raw`, `staging` or `marts`."""
    name: str
    kind: str
    """`stream`, `table`, `model`, `seed` or `snapshot`."""
    pipelines: tuple[str, ...] = ()
    state: NodeState
    fresh_at: datetime | None = None
    message: str | None = None
    """Why it failed."""
    path: str | None = None
    """Of the dbt file."""
    columns: tuple[ColumnInfo, ...] = ()


class Lineage(Value):
    """Nodes and the edges between them, from source to mart."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[tuple[str, str], ...]
