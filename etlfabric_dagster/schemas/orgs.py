"""Orgs and people as they cross layers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from etlfabric_dagster.schemas.base import Slug, Value


class OrgStatus(StrEnum):
    """`provisioning` until the data plane stands; `erasing` until nothing is left."""

    PROVISIONING = "provisioning"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASING = "erasing"


class OrgOut(Value):
    """An org as people see it."""

    id: UUID
    slug: Slug
    name: str
    status: OrgStatus
    config_version: int
    max_concurrent_runs: int
    weight: int
    timezone: str = "UTC"
    """IANA zone in which its people read times."""
    created_at: datetime


class EraseReport(Value):
    """What an erase removed, counted while it was removed. Backups are never touched."""

    slug: str
    schemas: int
    tables: int
    roles: int
    connections: int
    runs: int
    dagster_runs: int
    files: int
    """Uploads and run logs."""
    excluded: tuple[str, ...] = ("backups of the database", "logs shipped elsewhere")


class UserOut(Value):
    """A person; the password never leaves the service."""

    id: UUID
    email: str
    name: str | None = None
    is_operator: bool
    email_verified_at: datetime | None = None
    disabled_at: datetime | None = None
    created_at: datetime


class TokenOut(Value):
    """An API token, in clear this once."""

    id: UUID
    email: str
    token: str
    expires_at: datetime


class BiCredentials(Value):
    """The stable read-only login for BI tools. `password` is None when it was not rolled now."""

    host: str
    port: int
    database: str
    username: str
    password: str | None
    db_schema: str
    url: str
