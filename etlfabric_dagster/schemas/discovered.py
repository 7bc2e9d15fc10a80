"""What a connection offers and what a pipeline makes of it, as the panel asks for it."""

from __future__ import annotations

from datetime import datetime

from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.streams import (
    ColumnInfo,
    ColumnPolicy,
    ColumnSettings,
    LoadMode,
)


class StreamFilter(Value):
    """Which streams are meant; what is left out does not restrict."""

    q: str | None = None
    """Part of the name, in any case."""
    selected: bool | None = None
    mode: LoadMode | None = None
    has_cursor: bool | None = None
    """Whether the source offers a cursor."""


class OfferedStream(Value):
    """A stream as discovered, with the pipeline's settings, or those it would get."""

    name: str
    selected: bool
    mode: LoadMode
    cursor: str | None = None
    primary_key: tuple[str, ...] = ()
    cursor_candidates: tuple[str, ...] = ()
    row_estimate: int | None = None
    columns: tuple[ColumnInfo, ...] = ()
    policies: dict[str, ColumnSettings] = {}
    gone: bool = False
    """The pipeline knows it, the source offers it no more."""


class OfferedPage(Page[OfferedStream]):
    """One page, with the numbers above the table."""

    offered: int
    matching: int
    selected: int
    discovered_at: datetime | None


class BulkChange(Value):
    """What to set on every stream that a filter means; None leaves as it is."""

    selected: bool | None = None
    mode: LoadMode | None = None
    policies: dict[str, ColumnPolicy] = {}
    """Column → policy, where the stream has that column."""


class BulkReport(Value):
    """What a bulk edit did."""

    changed: tuple[str, ...]
    skipped: dict[str, str]
    """Stream → why it stays as it was."""


class StreamEffect(Value):
    """What an edit does to one stream."""

    name: str
    effect: str
    """`added`, `removed`, `reloaded`, `changed`."""
    fields: tuple[str, ...] = ()
    """Settings that change."""
    rows: int | None = None
    """Rows to load at the next run, estimated; None when the source does not tell."""


class EditPlan(Value):
    """What an edit would do; nothing is changed."""

    streams: tuple[StreamEffect, ...]
    unchanged: int
    rows: int
    """Sum of the estimates known."""
    unknown_rows: int
    """Streams to load without an estimate."""
    models: tuple[str, ...]
    """dbt models downstream of what reloads or goes."""


class PendingColumn(Value):
    """A new column (or nested table) at which a frozen pipeline's stream stopped."""

    stream: str
    column: str
    type: str | None = None
    found_at: datetime
