"""TenantSnapshot: everything Dagster definitions are built from. Frozen, without secrets; same
snapshot, same definitions.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema


class StreamSnapshot(Value):
    """One stream and the raw tables it is known to fill (itself first, then child tables)."""

    name: str
    table: str
    mode: LoadMode
    columns: tuple[ColumnInfo, ...] = ()
    tables: tuple[TableSchema, ...] = ()


class PipelineSnapshot(Value):
    """One pipeline: its job in Dagster has the same name."""

    id: UUID
    name: str
    connection: str | None = None
    connector: str | None = None
    streams: tuple[StreamSnapshot, ...] = ()
    models: tuple[str, ...] = ()
    """dbt unique ids this pipeline builds, tests included; resolved when the manifest was
    parsed.
    """


class TenantSnapshot(Value):
    """One org's configuration at one version.

    `manifest` is the parsed dbt manifest without macros and docs (dbt's JSON form), or None when
    the org has no dbt models yet.
    """

    org_id: UUID
    slug: str
    name: str
    version: int
    owners: tuple[str, ...] = ()
    pipelines: tuple[PipelineSnapshot, ...] = ()
    manifest: dict[str, Any] | None = Field(default=None, repr=False)
    job_ids: dict[str, str] = {}
    """Job name → Dagster's id of what the job consists of; known once the version is published."""


class PublishedRepository(Value):
    """A Dagster repository as the webserver reads it: serialized, zlib-compressed."""

    repository: bytes = Field(repr=False)
    jobs: dict[str, bytes] = Field(repr=False)
    """Job name → its body, read only when somebody opens the job."""
    job_ids: dict[str, str] = {}
    """Job name → Dagster's id of what it consists of."""
