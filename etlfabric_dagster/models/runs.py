"""Runs and attempts: the queue, its leases and its history."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base


class Run(Base):
    """One requested execution of a pipeline.

    `token` is the lease of the running attempt: a write that does not name it is dropped.
    `rung_at` is set on
    insert, because a row updated after its doorbell would be locked when the worker looks.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "uq_runs_running_pipeline",
            "pipeline_id",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_runs_open", "status", postgresql_where=text("status IN ('queued', 'running')")),
        Index("ix_runs_org_created", "org_id", "created_at"),
        Index("ix_runs_pipeline_created", "pipeline_id", "created_at"),
        Index(
            "ix_runs_pipeline_succeeded",
            "pipeline_id",
            "created_at",
            postgresql_where=text("status = 'succeeded'"),
        ),
        Index(
            "ix_runs_org_verdict",
            "org_id",
            "status",
            "finished_at",
            postgresql_where=text("status IN ('succeeded', 'failed')"),
        ),
        Index(
            "ix_runs_unalerted",
            "finished_at",
            postgresql_where=text("alerted_at IS NULL AND status IN ('succeeded', 'failed')"),
        ),
    )

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"))
    pipeline_id: Mapped[UUID]
    pipeline_name: Mapped[str]
    trigger: Mapped[str]
    fire_key: Mapped[str | None] = mapped_column(unique=True)
    selection: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(default="queued")
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    rung_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    rows_loaded: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_loaded: Mapped[int] = mapped_column(BigInteger, default=0)
    streams: Mapped[dict[str, Any]] = mapped_column(default=dict)
    models: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[dict[str, Any] | None]
    parent_run_id: Mapped[UUID | None]
    created_by: Mapped[str]
    alerted_at: Mapped[datetime | None]
    """When alert rules looked at the verdict; NULL until then."""
    dagster_job: Mapped[str | None]
    """Job name when the run was launched in Dagster with a run of its own already created."""


class RunAttempt(Base):
    """One try at a run; each is one Dagster run."""

    __tablename__ = "run_attempts"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    number: Mapped[int]
    dagster_run_id: Mapped[UUID] = mapped_column(unique=True)
    status: Mapped[str]
    worker: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]


class OrgTurn(Base):
    """Whose turn it is in the queue, the lowest first; moved by each claim. Not a column of `orgs`,
    because a claim must not wait for a transaction that changes an org.
    """

    __tablename__ = "org_turns"

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), unique=True)
    turn: Mapped[float] = mapped_column(server_default=text("0"))
    claimed_at: Mapped[datetime | None]
    """When a run of the org was last claimed; NULL until then."""


class DbtBuildLease(Base):
    """dbt builds of one org run one at a time: two would race for the same relations."""

    __tablename__ = "dbt_build_leases"

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), unique=True)
    run_id: Mapped[UUID]
    token: Mapped[UUID]
    lease_until: Mapped[datetime]
