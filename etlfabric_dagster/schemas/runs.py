"""Runs and attempts as they cross layers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.streams import SchemaChange, TableSchema


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class AttemptStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"


class Trigger(StrEnum):
    MANUAL = "manual"
    SCHEDULE = "schedule"
    API = "api"
    DAGSTER = "dagster"
    RETRY = "retry"


class ErrorInfo(Value):
    """An error as stored on a run: message and remedy, never a secret."""

    message: str
    remedy: str = ""
    code: str = "error"
    where: dict[str, Any] = Field(default_factory=dict)


class RunSelection(Value):
    """What part of the pipeline to run; the default is all of it."""

    streams: tuple[str, ...] | None = None
    """Stream names; None = all selected streams, () = load nothing."""
    models: tuple[str, ...] | None = None
    """dbt node names; None = what the pipeline builds, () = transform nothing."""
    checks: tuple[str, ...] | None = None
    """dbt test unique ids for a checks-only run."""
    full_refresh: tuple[str, ...] = ()
    """Streams to load again from the start."""


class PruneReport(Value):
    """What retention removed, or would remove (`dry_run`)."""

    retention_days: int
    dry_run: bool
    runs: int
    log_files: int
    requests: int
    dagster_runs: int


class StreamResult(Value):
    """How one stream of a run ended. `rows` and `bytes` are what reached the raw schema."""

    rows: int = 0
    bytes: int = 0
    seconds: float = 0
    status: str = "succeeded"
    """`succeeded`, `unchanged`, `failed`, `skipped` or `running`."""
    warnings: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    tables: tuple[TableSchema, ...] = ()
    schema_changes: tuple[SchemaChange, ...] = ()


class NodeResult(Value):
    """How one dbt node of a run ended: a model, seed, snapshot or test."""

    status: str
    """`success`, `skipped`, `error`, `fail`, `warn` or `pass`."""
    resource_type: str = "model"
    seconds: float = 0
    message: str | None = None
    rows: int | None = None
    failures: int | None = None
    compiled_sql: str | None = None
    path: str | None = None


class AttemptOut(Value):
    """One try at a run; attempt 1's Dagster run id equals the run id."""

    number: int
    status: AttemptStatus
    dagster_run_id: UUID
    worker: str
    started_at: datetime
    finished_at: datetime | None
    error: ErrorInfo | None = None


class RunOut(Value):
    """A run as people see it (ARCHITECTURE, JSON shapes)."""

    id: UUID
    status: RunStatus
    org: str
    pipeline: str
    trigger: Trigger
    attempt: int
    max_attempts: int
    rows_loaded: int
    bytes_loaded: int
    queued_s: float | None
    duration_s: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    selection: RunSelection
    streams: dict[str, StreamResult]
    models: dict[str, NodeResult]
    error: ErrorInfo | None
    attempts: tuple[AttemptOut, ...] = ()


class LogLine(Value):
    """One line of a run's log."""

    at: datetime
    level: str
    """`debug`, `info`, `warning` or `error`."""
    message: str
    subject: str | None = None
    """The stream or dbt node it speaks of."""
    attempt: int = 1


class LogFilter(Value):
    """Which lines of a run's log. What is empty leaves nothing out."""

    attempt: int | None = None
    level: str = ""
    subject: str = ""
    search: str = ""
    """Part of the message or the subject, in any case."""


class LogWindow(Value):
    """Some lines in a row of those that a filter keeps; counts are of the whole log."""

    items: tuple[LogLine, ...] = ()
    first: int = 0
    """How many kept lines are older than these."""
    total: int = 0
    """How many lines the filter keeps."""
    warnings: int = 0
    """Of the attempt, whatever else the filter asks; likewise errors."""
    errors: int = 0
    first_error: int | None = None
    """Which of the kept lines is the first error."""
    position: str = ""
    """Where to read on, for lines that come later."""


class ClaimedRun(Value):
    """An attempt this process has just been given. Writes must name `token`, the lease."""

    run_id: UUID
    org_id: UUID
    org_slug: str
    pipeline_id: UUID
    pipeline_name: str
    number: int
    token: UUID
    dagster_run_id: UUID
    first_dagster_run_id: UUID
    """Attempt 1's: Dagster's root run; equal to `run_id`."""
    trigger: Trigger
    selection: RunSelection
    lease_s: float
    configured: int
    """The org's configured and published versions when the run was claimed."""
    published: int


class HeartbeatAnswer(Value):
    """Whether the lease still holds, and whether somebody asked to cancel."""

    alive: bool
    cancel_requested: bool = False


class LostAttempt(Value):
    """An attempt whose lease expired, as the reconciler ended it."""

    run_id: UUID
    org_id: UUID
    pipeline_id: UUID
    dagster_run_id: UUID
    number: int
    requeued: bool
    """False: attempts are used up, the run failed (or was being canceled)."""


class QueueDepth(Value):
    """How much work waits, over all orgs."""

    queued: int
    running: int
    oldest_queued_s: float
    interactive_waiting: int
