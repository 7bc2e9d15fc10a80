"""Tasks of alerts, on the queue `etlfabric.interactive`: they are short, and somebody waits."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from etlfabric_dagster import aio
from etlfabric_dagster.services import alert_watch, deliveries, incidents
from etlfabric_dagster.services.leases import EVALUATE


@shared_task(name=EVALUATE)
def evaluate_alerts(run_id: str) -> None:
    """Hold a verdict against the rules. Safe to run twice: a verdict is looked at once."""
    aio.run(alert_watch.evaluate_run(UUID(run_id)))


@shared_task(name=incidents.SEND)
def send_alert(delivery_id: str) -> None:
    """Send a message that is due. Safe to run twice: the row is claimed first."""
    aio.run(deliveries.send(UUID(delivery_id)))
