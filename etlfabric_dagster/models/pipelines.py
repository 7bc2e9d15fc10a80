"""Pipelines, their streams, and what a load leaves behind."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import TENANT_SCHEMA, Base, TenantMixin, TimestampMixin

_PIPELINE = f"{TENANT_SCHEMA}.pipelines.id"


class Pipeline(TenantMixin, TimestampMixin, Base):
    """What is loaded and transformed together."""

    __tablename__ = "pipelines"

    name: Mapped[str] = mapped_column(unique=True)
    connection_id: Mapped[UUID | None] = mapped_column(
        ForeignKey(f"{TENANT_SCHEMA}.connections.id", ondelete="RESTRICT")
    )
    table_prefix: Mapped[str]
    schema_policy: Mapped[str]
    models: Mapped[str | None]
    paused: Mapped[bool] = mapped_column(default=False)


class Stream(TenantMixin, TimestampMixin, Base):
    """One stream of a pipeline. `tables` are the raw tables its last load left (TableSchema)."""

    __tablename__ = "streams"
    __table_args__ = (UniqueConstraint("pipeline_id", "name"),)

    pipeline_id: Mapped[UUID] = mapped_column(ForeignKey(_PIPELINE, ondelete="CASCADE"))
    name: Mapped[str]
    table_name: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[str]
    cursor: Mapped[str | None]
    initial_value: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    lag_s: Mapped[float] = mapped_column(default=0)
    primary_key: Mapped[list[Any]] = mapped_column(default=list)
    columns: Mapped[dict[str, Any]] = mapped_column(default=dict)
    discovered: Mapped[list[Any]] = mapped_column(default=list)
    selected: Mapped[bool] = mapped_column(default=True)
    tables: Mapped[list[Any]] = mapped_column(default=list)
    accepted_columns: Mapped[list[Any]] = mapped_column(default=list)
    needs_full_refresh: Mapped[bool] = mapped_column(default=False)


class LoadedTable(TenantMixin, Base):
    """Who owns a raw table: (org, raw table) is unique, child tables included."""

    __tablename__ = "loaded_tables"

    table_name: Mapped[str] = mapped_column(unique=True)
    stream_id: Mapped[UUID] = mapped_column(
        ForeignKey(f"{TENANT_SCHEMA}.streams.id", ondelete="CASCADE"), index=True
    )


class PipelineState(TenantMixin, TimestampMixin, Base):
    """dlt's state and schemas after the last successful attempt: a cache, never the truth."""

    __tablename__ = "pipeline_states"

    pipeline_id: Mapped[UUID] = mapped_column(
        ForeignKey(_PIPELINE, ondelete="CASCADE"), unique=True
    )
    run_id: Mapped[UUID]
    state: Mapped[str]
    built_digest: Mapped[str | None]
    """Digest of the dbt project whose build has seen all that is loaded; None = build again."""


class SchemaChangeRow(TenantMixin, Base):
    """A recorded schema change."""

    __tablename__ = "schema_changes"

    pipeline_id: Mapped[UUID] = mapped_column(ForeignKey(_PIPELINE, ondelete="CASCADE"), index=True)
    run_id: Mapped[UUID]
    stream: Mapped[str]
    table_name: Mapped[str]
    column_name: Mapped[str | None]
    change: Mapped[str]
    old_type: Mapped[str | None]
    new_type: Mapped[str | None]
    decision: Mapped[str]
    found_at: Mapped[datetime]
