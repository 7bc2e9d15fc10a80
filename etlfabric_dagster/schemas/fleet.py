"""Many orgs at once: how they stand, and how they are created."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, SecretStr

from etlfabric_dagster.schemas.base import Name, Slug, Value
from etlfabric_dagster.schemas.orgs import OrgStatus


class OrgHealth(Value):
    """One org in the fleet. Times in seconds; None = never, or nothing to tell."""

    slug: Slug
    name: str
    status: OrgStatus
    last_success_at: datetime | None
    freshness_s: float | None
    """Since a run last succeeded."""
    failures: int
    """Runs that failed in the last 24 hours."""
    queued: int
    running: int
    queue_s: float
    """How long its oldest queued run has waited."""
    schedules: int
    lag_s: float
    """By how much its latest schedule is overdue."""
    definitions_error: str | None
    """Why its newest configuration is not published."""

    @property
    def trouble(self) -> tuple[bool, int, float, float, int, str]:
        """Sorts the worst first."""
        broken = self.definitions_error is not None
        return (not broken, -self.failures, -self.lag_s, -self.queue_s, -self.queued, self.slug)


class FleetTotals(Value):
    """All orgs together."""

    orgs: int
    active: int
    failing: int
    """Orgs with a run that failed in the last 24 hours."""
    failures: int
    queued: int
    running: int
    queue_s: float
    lag_s: float


class FleetStatus(Value):
    """The install's orgs, the worst first, perhaps only some; the totals are of all."""

    items: tuple[OrgHealth, ...]
    totals: FleetTotals


class OrgCard(Value):
    """One org in the operators' list."""

    slug: Slug
    name: str
    status: OrgStatus
    pipelines: int
    failing: int
    """Pipelines whose last run failed."""
    rows_per_day: int
    """Mean of the last seven days (UTC), days without runs included."""
    storage_bytes: int
    """Tables of all data schemas with their indexes."""
    queued: int
    running: int
    max_concurrent_runs: int
    last_active_at: datetime | None
    """When its last run was asked for."""


class Consequences(Value):
    """What suspending an org would do now."""

    runs: int
    """Queued and running, which are canceled."""
    schedules: int
    logins: int


class FleetLoad(Value):
    """The run queue of the install, now."""

    queued: int
    running: int
    oldest_wait_s: float
    oldest_org: str | None
    overdue_leases: int
    """Attempts whose worker has not been heard of in time."""
    interactive_waiting: int


class ConnectionSpec(Value):
    """A connection to create."""

    name: Name
    connector: str
    config: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)


class PipelineSpec(Value):
    """A pipeline to create; on the spec's connection, if it has one."""

    name: Name
    streams: dict[str, Any] | Literal["all"] = "all"
    models: str | None = None


class ScheduleSpec(Value):
    """When the spec's pipeline runs."""

    cron: str | None = None
    interval_s: int | None = None
    timezone: str = "UTC"
    jitter_s: int = 0


class OrgSpec(Value):
    """An org to create, and optionally what it starts with."""

    slug: Slug
    name: str
    connection: ConnectionSpec | None = None
    pipeline: PipelineSpec | None = None
    schedule: ScheduleSpec | None = None


class NotCreated(Value):
    """An org of a list that could not be created, and why."""

    slug: str
    message: str
    remedy: str


class CreateReport(Value):
    """What became of a list: slugs in its order."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    """Were complete already; nothing of them was changed."""
    failed: tuple[NotCreated, ...]
