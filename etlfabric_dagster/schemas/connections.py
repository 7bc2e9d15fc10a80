"""Connectors and connections as they cross layers. Secrets are write-only: no field holds one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from etlfabric_dagster.schemas.base import Name, Value
from etlfabric_dagster.schemas.streams import CheckResult


class ConnectorInfo(Value):
    """One kind of source."""

    name: str
    title: str
    group: str
    description: str
    operators_only: bool = False


class ConnectorSpec(ConnectorInfo):
    """A connector with its form: two JSON Schemas (draft 2020-12), config and secrets."""

    config_schema: dict[str, Any]
    secrets_schema: dict[str, Any]


class ConnectionOut(Value):
    """A connection as people see it; `secrets` lists the names that are stored, never values."""

    id: UUID
    name: Name
    connector: str
    config: dict[str, Any]
    secrets: tuple[str, ...]
    last_check: CheckResult | None = None
    checked_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class UploadOut(Value):
    """A file an org put for its filesystem connections (`uploads://`)."""

    name: str
    size_bytes: int
    uploaded_at: datetime
