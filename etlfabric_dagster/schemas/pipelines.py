"""Pipelines and schedules as they cross layers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Name, Value
from etlfabric_dagster.schemas.streams import (
    ColumnInfo,
    ColumnSettings,
    LoadMode,
    SchemaPolicy,
    TableSchema,
)


class StreamOut(Value):
    """A selected (or deselected) stream of a pipeline, with the tables its last load left."""

    id: UUID
    name: str
    table: str
    mode: LoadMode
    cursor: str | None = None
    initial_value: Any = None
    lag_s: float = 0
    primary_key: tuple[str, ...] = ()
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)
    discovered: tuple[ColumnInfo, ...] = ()
    selected: bool = True
    tables: tuple[TableSchema, ...] = ()


class PipelineOut(Value):
    """A pipeline as people see it. `connection` is None for a transform-only pipeline."""

    id: UUID
    name: Name
    connection: str | None
    table_prefix: str
    schema_policy: SchemaPolicy
    models: str | None
    """dbt selector; None = everything downstream of this pipeline's streams."""
    paused: bool
    streams: tuple[StreamOut, ...] = ()
    created_at: datetime
    updated_at: datetime


class ScheduleOut(Value):
    """When a pipeline runs: a 5-field cron expression or an interval, in an IANA time zone."""

    id: UUID
    pipeline: str
    cron: str | None
    interval_s: int | None
    timezone: str
    jitter_s: int = 0
    """It fires up to so many seconds later than said, always by the same delay."""
    next_fire_at: datetime | None
    paused: bool = False
