"""Events of our own that move a Dagster run from status to status.

Apart from the launcher: who only reports needs none of what translates dbt and dlt.
"""

from __future__ import annotations

from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun


def report_queued(instance: DagsterInstance, run: DagsterRun) -> None:
    """It waits for a worker: only so may Dagster terminate it meanwhile."""
    report(instance, run, DagsterEventType.RUN_ENQUEUED)


def report_starting(instance: DagsterInstance, run: DagsterRun) -> None:
    """A worker has it: only so does Dagster execute it."""
    report(instance, run, DagsterEventType.RUN_STARTING)


def report(instance: DagsterInstance, run: DagsterRun, kind: DagsterEventType) -> None:
    """An event that says nothing but its kind, which changes the run's status."""
    event = DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
    instance.report_dagster_event(event, run_id=run.run_id)
