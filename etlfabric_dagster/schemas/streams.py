"""Streams: what discovery finds, what a user chooses, what a load reports."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Value


class LoadMode(StrEnum):
    """`full` replaces; `incremental` by cursor, merged by key where there is one, else appended."""

    FULL = "full"
    INCREMENTAL = "incremental"
    APPEND = "append"
    MERGE = "merge"
    SCD2 = "scd2"


class SchemaPolicy(StrEnum):
    """What a pipeline does with a column it has not seen: take it, stop the stream, ignore it."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD = "discard"


class ColumnPolicy(StrEnum):
    """What happens to a column's values before they reach the raw schema."""

    KEEP = "keep"
    HASH = "hash"
    MASK = "mask"
    DROP = "drop"


class ColumnInfo(Value):
    """A column as the source (or the destination) has it; `type` in that system's words."""

    name: str
    type: str
    nullable: bool = True


class DiscoveredStream(Value):
    """One table, endpoint or file set that a connection offers.

    `cursor_candidates` stand in order of fitness. `update_cursor` is the one that is known to move
    whenever a row changes: by any other, a load by cursor may miss updates.
    """

    name: str
    columns: tuple[ColumnInfo, ...] = ()
    primary_key: tuple[str, ...] = ()
    cursor_candidates: tuple[str, ...] = ()
    update_cursor: str | None = None
    row_estimate: int | None = None


class Discovery(Value):
    """The answer to `discover`."""

    streams: tuple[DiscoveredStream, ...]


class CheckStep(Value):
    """One check that really ran."""

    name: str
    ok: bool
    detail: str = ""


class CheckResult(Value):
    """The answer to `check`; cause and remedy are empty when all is well."""

    ok: bool
    cause: str = ""
    remedy: str = ""
    code: str = ""
    steps: tuple[CheckStep, ...] = ()
    grant: str = ""
    """Statements that would give the login the right it lacks."""
    host_key: str = ""
    """Of an SSH server of which none was known: trusted from now on, and kept in the config."""


class ColumnSettings(Value):
    """A user's choice for one column."""

    policy: ColumnPolicy = ColumnPolicy.KEEP


class StreamSettings(Value):
    """One entry of a streams file. `columns` names only columns that differ from `keep`."""

    mode: LoadMode = LoadMode.FULL
    cursor: str | None = None
    initial_value: Any = None
    lag_s: float = Field(default=0, ge=0)
    primary_key: tuple[str, ...] = ()
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)
    selected: bool = True


class StreamPlan(Value):
    """What the sandbox is told to load: settings resolved against discovery and the raw table."""

    name: str
    table: str
    mode: LoadMode
    cursor: str | None = None
    initial_value: Any = None
    lag_s: float = 0
    primary_key: tuple[str, ...] = ()
    columns: dict[str, ColumnPolicy] = Field(default_factory=dict)
    full_refresh: bool = False


class SchemaChange(Value):
    """One difference between a stream and the table it had before. `decision` is what was done."""

    stream: str
    table: str
    column: str | None
    change: str
    """`table_added`, `added`, `widened`, `type_changed` or `removed`."""
    old_type: str | None = None
    new_type: str | None = None
    decision: str = "taken"
    """`taken`, `ignored` or `refused`."""


class SchemaChangeOut(SchemaChange):
    """A schema change as a run found it."""

    id: UUID
    run: UUID
    found_at: datetime


class ColumnDecision(StrEnum):
    """What to do with a column that a frozen pipeline refused."""

    ACCEPT = "accept"
    IGNORE = "ignore"


class TableSchema(Value):
    """A raw table as it stands after a load: what staging models are generated from.

    `columns` types are Postgres types as `format_type` spells them (`numeric(38,10)`, `text[]`).
    """

    table: str
    stream: str
    parent: str | None = None
    primary_key: tuple[str, ...] = ()
    mode: LoadMode = LoadMode.FULL
    columns: tuple[ColumnInfo, ...] = ()
