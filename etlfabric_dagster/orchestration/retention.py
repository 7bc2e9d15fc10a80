"""One pass over everything that has outlived the retention, ours and Dagster's."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from etlfabric_dagster import aio, clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration import records
from etlfabric_dagster.schemas.runs import PruneReport
from etlfabric_dagster.services import retention


def prune(instance: dg.DagsterInstance, *, dry_run: bool = False) -> PruneReport:
    """Forget what is older than `ETLFABRIC_RETENTION_DAYS` (0 = keep it). Blocking, resumable.

    With `dry_run` it is counted and nothing goes.
    """
    days = settings.retention_days
    runs = files = dagster_runs = 0
    requests = aio.run(retention.forget_requests(dry_run=dry_run))
    if days:
        kept = timedelta(days=days)
        runs, files = aio.run(retention.forget_runs(clock.now() - kept, dry_run=dry_run))
        dagster_runs = records.forget_old(instance, kept, dry_run=dry_run)
    return PruneReport(
        retention_days=days,
        dry_run=dry_run,
        runs=runs,
        log_files=files,
        requests=requests,
        dagster_runs=dagster_runs,
    )
