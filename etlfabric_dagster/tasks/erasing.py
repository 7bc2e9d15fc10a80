"""The end of an org, on the queue `etlfabric.interactive`: nobody can reach it any more."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from etlfabric_dagster import aio
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.erasure import erase_records
from etlfabric_dagster.services import erasures, runs
from etlfabric_dagster.services.scope import SYSTEM


@shared_task(name=erasures.ERASE)
def erase_org(org_id: str) -> None:
    """Erase an org that somebody asked to erase. Safe to run twice: it goes on with what is left.

    Rung again by the scheduler for as long as anything is left.
    """
    asked = dict(aio.run(erasures.requested()))
    slug = asked.get(UUID(org_id))
    if slug is None:
        return
    try:
        removed = erase_records(slug, aio.run(runs.dagster_run_ids(SYSTEM, slug)))
        report = aio.run(erasures.erase(SYSTEM, slug, dagster_runs=removed))
    except NotFoundError:  # another worker was faster
        return
    log.info("org.erased", **report.model_dump(exclude={"slug", "excluded"}))
