"""Usage, quotas and metrics as they cross layers."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from etlfabric_dagster.schemas.base import Value


class UsageTotals(Value):
    """What was used: rows and bytes that reached the raw schema, seconds that attempts ran."""

    rows: int = 0
    bytes: int = 0
    run_s: float = 0
    runs: int = 0
    """Runs that ended after they had started."""
    failed_runs: int = 0


class UsageItem(UsageTotals):
    """One pipeline's use of one day (UTC)."""

    day: date
    pipeline_id: UUID
    pipeline: str


class QuotaState(Value):
    """What an org may use and how much of it is used; a limit of None is none."""

    rows_per_month: int | None = None
    storage_bytes: int | None = None
    rows_used: int = 0
    """In the current month (UTC)."""
    storage_used_bytes: int | None = None
    """Tables of all data schemas with their indexes; None while no limit asks for it."""
    warnings: tuple[str, ...] = ()
    """From 80 % on; at 100 % runs are refused."""
    exceeded: bool = False


class UsageReport(Value):
    """An org's use between two days, both included; `items` of all pages sum to `total`."""

    org: str
    date_from: date
    date_to: date
    items: tuple[UsageItem, ...]
    total: UsageTotals
    quota: QuotaState
    next: str | None = None
    """Cursor of the items behind; None for the last."""


class Sample(Value):
    """One value of a metric."""

    labels: dict[str, str]
    value: float


class Metric(Value):
    """One Prometheus metric with all its values."""

    name: str
    help: str
    kind: str
    """`counter` or `gauge`."""
    samples: tuple[Sample, ...]
