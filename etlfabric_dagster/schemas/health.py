"""How pipelines fare, as lists and the overview show it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.runs import ErrorInfo, RunStatus


class PipelineState(StrEnum):
    """One badge; when several fit, the first of this order is shown."""

    RUNNING = "running"
    PAUSED = "paused"
    FAILING = "failing"
    LATE = "late"
    NEVER_RUN = "never_run"
    HEALTHY = "healthy"


class Outcome(Value):
    """One of the last runs: a bar of the sparkline."""

    run_id: UUID
    status: RunStatus
    rows: int
    seconds: float | None
    at: datetime
    """When it was asked for."""


class PipelineHealth(Value):
    """What the runs and the schedule of a pipeline tell."""

    outcomes: tuple[Outcome, ...] = ()
    """The last 14, oldest first."""
    first_run_at: datetime | None = None
    fresh_at: datetime | None = None
    """End of the last good run."""
    usual_s: float | None = None
    """Median duration of the last 20 good runs."""
    next_fire_at: datetime | None = None
    late_since: datetime | None = None
    """Due time of the oldest scheduled run without success, once its grace is over."""
    failing: bool = False
    failing_since: datetime | None = None
    """When the first run failed of which none has succeeded since."""
    """Whether the last run that ended, canceled ones left out, failed."""
    error: ErrorInfo | None = None
    """Of the last run, while `failing`."""
    running: bool = False


class PipelineListItem(PipelineOut):
    """A pipeline in a list."""

    state: PipelineState
    health: PipelineHealth


class PipelineBrief(Value):
    """A pipeline that needs a look."""

    name: str
    since: datetime | None = None
    error: ErrorInfo | None = None


class NextFire(Value):
    """What runs next."""

    pipeline: str
    at: datetime


class OldestMart(Value):
    """The mart whose data is oldest."""

    table: str
    fresh_at: datetime


class RowsOfDay(Value):
    day: date
    rows: int


class Overview(Value):
    """An org at a glance. Days are UTC."""

    org: str
    pipelines: int
    failing: tuple[PipelineBrief, ...]
    late: tuple[PipelineBrief, ...]
    fine: int
    oldest_mart: OldestMart | None
    success_rate_7d: float | None
    """Succeeded of those that ended, canceled left out; None without any."""
    rows_today: int
    running: int
    queued: int
    rows_per_day: tuple[RowsOfDay, ...]
    """30 days, oldest first; a day without runs is missing."""
    next: tuple[NextFire, ...]
    """The next five."""
    open_incidents: int


class TimelineEvent(Value):
    """A run on the time line."""

    at: datetime
    seconds: float
    """Until its end, or until now."""
    status: RunStatus


class TimelineRow(Value):
    """A pipeline's schedule on the time line."""

    pipeline: str
    cron: str | None
    interval_s: int | None
    timezone: str
    paused: bool
    next_fire_at: datetime | None
    usual_s: float | None
    past: tuple[TimelineEvent, ...]
    """Oldest first."""
    ahead: tuple[datetime, ...]
