"""Orgs and published code locations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TimestampMixin


class Org(TimestampMixin, Base):
    """One organisation. `config_version` grows with every configuration change."""

    __tablename__ = "orgs"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str]
    config_version: Mapped[int] = mapped_column(default=1)
    max_concurrent_runs: Mapped[int]
    weight: Mapped[int] = mapped_column(default=1)
    timezone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    """IANA zone in which people of the org read times."""
    sealed: Mapped[bytes]
    """Sealed: the key of the `hash` column policy and the read-only login's password."""
    tenant_revision: Mapped[str | None]
    """Alembic revision of the tenant schema."""


class CodeLocation(Base):
    """The newest published Dagster repository of an org: what the webserver shows."""

    __tablename__ = "code_locations"

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), unique=True)
    version: Mapped[int]
    snapshot: Mapped[bytes]
    """TenantSnapshot, zlib JSON: what a run's definitions are rebuilt from."""
    repository: Mapped[bytes | None]
    """Serialized RepositorySnap, zlib; None while `error` tells why there is none yet."""
    error: Mapped[str | None]
    published_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class CodeLocationJob(Base):
    """One job of a published repository, read only when somebody opens it."""

    __tablename__ = "code_location_jobs"

    location_id: Mapped[UUID] = mapped_column(
        ForeignKey("code_locations.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    body: Mapped[bytes]
