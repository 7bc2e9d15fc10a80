"""Dagster's own records of runs: ended for attempts that cannot do it, and kept for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from etlfabric_dagster import clock
from etlfabric_dagster.orchestration.compat import (
    FINISHED_STATUSES,
    AssetCheckExecutionsTable,
    SqlEventLogStorage,
)
from etlfabric_dagster.schemas.runs import LostAttempt

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


def forget_old(instance: dg.DagsterInstance, kept: timedelta, *, dry_run: bool = False) -> int:
    """Delete finished Dagster runs older than `kept`, with their events; returns how many.

    The last run of each asset stays, because with it Dagster would forget the asset's latest
    materialisation. With `dry_run` nothing goes. Resumable: a run's events go before it.
    """
    last = {
        entry.last_materialization.run_id
        for record in instance.get_asset_records()
        if (entry := record.asset_entry).last_materialization
    }
    before = clock.now() - kept
    filters = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before)
    old = [run_id for run_id in _ids(instance, filters) if run_id not in last]
    for run_id in () if dry_run else old:
        _forget(instance, run_id)
    return len(old)


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """Evaluations of checks have a table of their own, which Dagster never empties."""
    storage = instance.event_log_storage
    storage.delete_events(run_id)
    if isinstance(storage, SqlEventLogStorage):
        checks = AssetCheckExecutionsTable
        with storage.index_connection() as conn:
            conn.execute(checks.delete().where(checks.c.run_id == run_id))
    instance.delete_run(run_id)


def _ids(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[str]:
    cursor = None
    while page := instance.get_run_ids(filters, cursor=cursor, limit=BATCH):
        yield from page
        cursor = page[-1]
