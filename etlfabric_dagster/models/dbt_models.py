"""The files of a tenant's dbt project and its last good parse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TenantMixin, TimestampMixin


class DbtModel(TenantMixin, TimestampMixin, Base):
    """One file; `origin` is `generated` or `tenant`: generated files never overwrite a tenant's."""

    __tablename__ = "dbt_models"

    path: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]
    origin: Mapped[str]


class DbtManifest(TenantMixin, TimestampMixin, Base):
    """The last manifest that parsed: pruned JSON for definitions, msgpack for builds. One row."""

    __tablename__ = "dbt_manifests"

    files_digest: Mapped[str]
    manifest: Mapped[dict[str, Any]]
    packed: Mapped[str]
    selections: Mapped[dict[str, Any]]
    """dbt selector → unique ids, as resolved at parse time."""
    error: Mapped[dict[str, Any] | None]
    """Why the files of now do not parse, while the manifest is older."""


class DbtModelVersion(TenantMixin, Base):
    """One saved content of a tenant's file; `content` is NULL where it was deleted."""

    __tablename__ = "dbt_model_versions"
    __table_args__ = (Index(None, "path", "created_at"),)

    path: Mapped[str]
    content: Mapped[str | None]
    digest: Mapped[str]
    action: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class DbtDraft(TenantMixin, TimestampMixin, Base):
    """A file that does not compile yet: kept beside the project, never built."""

    __tablename__ = "dbt_drafts"

    path: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]
    author: Mapped[str]
    error: Mapped[dict[str, Any] | None]
