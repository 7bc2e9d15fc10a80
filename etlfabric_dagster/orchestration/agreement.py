"""Dagster's record and ours agree in the end: ours decide, and Dagster's say so a tick later.

They part when a process dies between two writes, when Dagster's asynchronous commits are lost with
its server, when a frozen worker's last event arrives after its verdict, and when somebody marks a
run in Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from uuid import UUID

import dagster as dg

from etlfabric_dagster import aio, clock
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.compat import NOT_FINISHED_STATUSES
from etlfabric_dagster.orchestration.reporting import report
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import agreement
from etlfabric_dagster.services.agreement import Ends

BATCH, OPEN_LIMIT = 500, 2000
UNKNOWN_AFTER = timedelta(seconds=60)
"""How long a launch may take from Dagster's run to our row."""

Report = Callable[[dg.DagsterInstance, dg.DagsterRun], object]
VERDICTS: dict[RunStatus, tuple[dg.DagsterRunStatus, Report]] = {
    RunStatus.SUCCEEDED: (
        dg.DagsterRunStatus.SUCCESS,
        lambda instance, run: report(instance, run, dg.DagsterEventType.RUN_SUCCESS),
    ),
    RunStatus.FAILED: (
        dg.DagsterRunStatus.FAILURE,
        lambda instance, run: instance.report_run_failed(
            run, "The attempt did not succeed: see the run in ETL Fabric for its error."
        ),
    ),
    RunStatus.CANCELED: (
        dg.DagsterRunStatus.CANCELED,
        lambda instance, run: instance.report_run_canceled(run, "The run was canceled."),
    ),
}


def agree(instance: dg.DagsterInstance, within_s: float) -> int:
    """Correct what disagrees; returns how many records were corrected. Blocking, idempotent.

    Args:
        within_s: how far back finished attempts are compared; open ones are, whatever their age.
    """
    corrected = _correct(instance, aio.run(agreement.ended_within(within_s)))
    return corrected + _end_open(instance) + _cancel_marked(instance)


def _correct(instance: dg.DagsterInstance, ends: Ends) -> int:
    """Only records that say something else are read."""
    corrected = 0
    for verdict, (status, tell) in VERDICTS.items():
        ids = [str(run_id) for run_id, end in ends.items() if end is verdict]
        others = [other for other in dg.DagsterRunStatus if other is not status]
        for run in _runs(instance, ids, others):
            log.warning("record.corrected", run=run.run_id, was=run.status.value, now=status.value)
            tell(instance, run)
            corrected += 1
    return corrected


def _end_open(instance: dg.DagsterInstance) -> int:
    """Open records whose attempt has ended long ago, and those that nothing of ours stands for."""
    filters = dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)
    records = instance.get_run_records(filters, limit=OPEN_LIMIT, ascending=True)
    ids = {UUID(record.dagster_run.run_id): record for record in records}
    corrected = _correct(instance, aio.run(agreement.ended_of(ids)))
    before = clock.now() - UNKNOWN_AFTER
    for run_id in set(ids) - aio.run(agreement.known(ids)):
        if ids[run_id].create_timestamp < before:
            run = ids[run_id].dagster_run
            instance.report_run_failed(run, "It never reached the queue: launch it again.")
            corrected += 1
    return corrected


def _cancel_marked(instance: dg.DagsterInstance) -> int:
    """Runs that somebody marked as canceled in Dagster while they are open for us."""
    ours = aio.run(agreement.open_in_dagster())
    canceled = [dg.DagsterRunStatus.CANCELED]
    marked = [ours[UUID(run.run_id)] for run in _runs(instance, list(map(str, ours)), canceled)]
    if marked:
        aio.run(agreement.cancel(marked))
    return len(marked)


def _runs(
    instance: dg.DagsterInstance, ids: list[str], statuses: Collection[dg.DagsterRunStatus]
) -> list[dg.DagsterRun]:
    found: list[dg.DagsterRun] = []
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        found += instance.get_runs(dg.RunsFilter(run_ids=part, statuses=list(statuses)))
    return found
