"""Tasks of the queue `etlfabric.interactive`: people wait for these."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from etlfabric_dagster import aio
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.services import answers, snapshots
from etlfabric_dagster.services.interactive import ANSWER


@shared_task(name=ANSWER)
def answer_request(request_id: str) -> None:
    """Check, discover, preview or query. Safe to run twice: a taken request is not taken again."""
    aio.run(answers.answer(UUID(request_id)))


@shared_task(name=snapshots.PUBLISH)
def publish_org(org_id: str) -> None:
    """Publish the org's configuration of now. Safe to run twice: only a greater version is written.

    What cannot be built is recorded on the location; the last good version stays.
    """
    try:
        aio.run(snapshots.publish(UUID(org_id), encode))
    except NotFoundError:
        log.info("publish.org_gone", org=org_id)
    except Exception as exc:  # recorded with its cause, shown in the webserver
        log.error("publish.failed", org=org_id, error=str(exc)[:500])
