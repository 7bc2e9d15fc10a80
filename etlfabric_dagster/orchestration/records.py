"""Dagster's own records of runs: ended for attempts that cannot do it, and kept for a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID

import dagster as dg

from etlfabric_dagster import clock
from etlfabric_dagster.orchestration.compat import (
    FINISHED_STATUSES,
)
from etlfabric_dagster.schemas.runs import LostAttempt

KEPT = timedelta(days=30)
BATCH = 200


def end_lost(instance: dg.DagsterInstance, lost: LostAttempt) -> None:
    """End the Dagster run of an attempt whose worker stopped answering. Idempotent."""
    run = instance.get_run_by_id(str(lost.dagster_run_id))
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
        return
    follows = " Another attempt follows." if lost.requeued else ""
    instance.report_run_failed(
        run, f"The worker of attempt {lost.number} stopped answering.{follows}"
    )


def end_unclaimed(instance: dg.DagsterInstance, run_ids: Iterable[UUID]) -> int:
    """Cancel Dagster runs whose run ended before a worker took it. Idempotent."""
    ended = 0
    for run_id in run_ids:
        run = instance.get_run_by_id(str(run_id))
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, "The run was canceled before a worker took it.")
            ended += 1
    return ended


def forget_old(instance: dg.DagsterInstance, kept: timedelta = KEPT) -> int:
    """Delete finished Dagster runs older than `kept`; the last one of each asset stays, because
    with it Dagster would forget the asset's latest materialisation.
    """
    last = {
        entry.last_materialization.run_id
        for record in instance.get_asset_records()
        if (entry := record.asset_entry).last_materialization
    }
    before = clock.now() - kept
    filters = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before)
    old = [run_id for run_id in _ids(instance, filters) if run_id not in last]
    for run_id in old:
        instance.delete_run(run_id)
    return len(old)


def _ids(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[str]:
    cursor = None
    while page := instance.get_run_ids(filters, cursor=cursor, limit=BATCH):
        yield from page
        cursor = page[-1]
