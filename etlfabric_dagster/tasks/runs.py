"""Tasks of the queue `etlfabric.runs`."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.execution import execute_attempt
from etlfabric_dagster.services import sandbox
from etlfabric_dagster.services.runs import EXECUTE
from etlfabric_dagster.tasks import child, heartbeats


@shared_task(name=EXECUTE)
def execute_run(run_id: str) -> None:
    """Execute the fairest run that can start; the id is a hint.

    Safe to run twice or late: the claim decides, and takes nothing when nothing can start.
    """
    status = execute_attempt(
        UUID(run_id), child.name(), child.instance(), sandbox.client(), heartbeats.slots()
    )
    if status is not None:
        log.info("run.ended", hint=run_id, status=status.value)
