"""Alert channels, rules, incidents and their messages.

They live in `public` (ADR 11): one tick looks for what is due over all orgs at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TimestampMixin


class AlertChannel(TimestampMixin, Base):
    """Where messages go. `sealed` holds the URL and the signing secret; `config` what is shown."""

    __tablename__ = "alert_channels"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    config: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None]


class AlertRule(TimestampMixin, Base):
    """What is told to which channels. `pipelines` NULL means all of the org's."""

    __tablename__ = "alert_rules"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"))
    name: Mapped[str]
    kinds: Mapped[list[Any]]
    pipelines: Mapped[list[Any] | None]
    channels: Mapped[list[Any]]
    stale_after_s: Mapped[int | None]
    quiet_from: Mapped[str | None]
    quiet_to: Mapped[str | None]
    timezone: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)


class AlertIncident(Base):
    """One trouble of one pipeline, from its first sign to its recovery: one message each."""

    __tablename__ = "alert_incidents"
    __table_args__ = (
        Index(
            "uq_alert_incidents_open",
            "rule_id",
            "kind",
            "pipeline_id",
            unique=True,
            postgresql_where=text("recovered_at IS NULL"),
        ),
        Index("ix_alert_incidents_org_opened", "org_id", "opened_at"),
    )

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"))
    rule_name: Mapped[str]
    kind: Mapped[str]
    pipeline_id: Mapped[UUID]
    pipeline_name: Mapped[str]
    run_id: Mapped[UUID | None]
    message: Mapped[str]
    remedy: Mapped[str]
    occurrences: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    notified_at: Mapped[datetime | None]
    recovered_at: Mapped[datetime | None]
    muted_until: Mapped[datetime | None]
    """Until then nobody is told of troubles of this kind in its pipeline."""


class AlertDelivery(Base):
    """One message to one channel. The row is the queue: a lost doorbell is rung again."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        UniqueConstraint("incident_id", "channel_id", "event"),
        Index(
            "ix_alert_deliveries_due", "next_attempt_at", postgresql_where=text("status = 'queued'")
        ),
    )

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), index=True)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey("alert_incidents.id", ondelete="CASCADE"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("alert_channels.id", ondelete="CASCADE"))
    event: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    sent_at: Mapped[datetime | None]
