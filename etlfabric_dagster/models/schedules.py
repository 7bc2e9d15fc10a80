"""Schedules. The clock is one public table, so that one poller serves all tenants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TimestampMixin


class Schedule(TimestampMixin, Base):
    """When a pipeline runs. Lives in `public` because the poller reads all orgs at once."""

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("(cron IS NULL) <> (interval_s IS NULL)", name="cron_or_interval"),
        Index(None, "next_fire_at", postgresql_where=text("NOT paused")),
    )

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), index=True)
    pipeline_id: Mapped[UUID] = mapped_column(unique=True)
    pipeline_name: Mapped[str]
    cron: Mapped[str | None]
    interval_s: Mapped[int | None]
    timezone: Mapped[str]
    jitter_s: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The greatest delay; which one it has follows from its id (see `clockwork.delay`)."""
    next_fire_at: Mapped[datetime | None]
    last_fire_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False)
