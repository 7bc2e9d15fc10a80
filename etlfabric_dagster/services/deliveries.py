"""Sending alerts: one claimed row, one message, retried from the row until it is taken.

A webhook is called in the sandbox: the address is vetted, the call ends in time whatever it does.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.logs import log
from etlfabric_dagster.models import AlertChannel, AlertDelivery, AlertIncident, Org
from etlfabric_dagster.schemas.alerts import (
    AlertEvent,
    AlertKind,
    AlertMessage,
    ChannelKind,
    DeliveryStatus,
)
from etlfabric_dagster.schemas.jobs import NotifyJob
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.streams import CheckResult
from etlfabric_dagster.security import signing
from etlfabric_dagster.services import alert_texts, alerts, interactive, mail, sandbox
from etlfabric_dagster.services.connections import egress_policy
from etlfabric_dagster.services.scope import SYSTEM, Actor, org_scope, org_scope_by_id

BACKOFF_S = (60, 120, 300, 900, 3600, 3 * 3600, 6 * 3600)
"""Between tries; longer than a try may take, so that two never overlap."""


class Parcel(NamedTuple):
    """A message with the channel it goes through."""

    channel: AlertChannel
    message: AlertMessage
    delivery_id: str


async def send(delivery_id: UUID) -> DeliveryStatus | None:
    """Send one due message. None when it is not due, or somebody else has it.

    Safe to run twice. A crash between sending and noting sends again: receivers see the same
    delivery id.
    """
    async with get_session() as session:
        parcel = await _claim(session, delivery_id)
    if parcel is None:
        return None
    try:
        await _hand_over(parcel)
    except FabricError as exc:
        return await _note_failure(delivery_id, exc)
    async with get_session() as session:
        row = await session.get_one(AlertDelivery, delivery_id)
        row.status, row.sent_at, row.last_error = DeliveryStatus.SENT, clock.now(), None
        await session.execute(
            update(AlertIncident)
            .where(AlertIncident.id == row.incident_id, AlertIncident.notified_at.is_(None))
            .values(notified_at=row.sent_at)
        )
    return DeliveryStatus.SENT


async def test(actor: Actor, slug: str, channel: str) -> CheckResult:
    """Send a test message through a channel, now. Cause and remedy when it was not taken."""
    async with org_scope(actor, slug) as scope:
        scope.require("alerts.update")
        await alerts.find_channel(scope, channel)
        org_id = scope.org_id
    answer = await interactive.ask(org_id, "test_alert", {"channel": channel}, timeout_s=60)
    return CheckResult.model_validate(answer)


async def answer_test(org_id: UUID, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `test`."""
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        row = await alerts.find_channel(scope, arguments["channel"])
        message = AlertMessage(
            event="test",
            kind=AlertKind.FAILURE,
            org=scope.slug,
            pipeline="",
            rule="test",
            title=alert_texts.title("test", AlertKind.FAILURE, "", scope.slug),
            message=f"Alerts of {scope.slug} reach this channel.",
            opened_at=clock.now(),
        )
    try:
        await _hand_over(Parcel(row, message, "test"))
    except FabricError as exc:
        return CheckResult(
            ok=False, cause=exc.message, remedy=exc.remedy, code=exc.code
        ).model_dump(mode="json")
    return CheckResult(ok=True).model_dump(mode="json")


async def _claim(session: AsyncSession, delivery_id: UUID) -> Parcel | None:
    """Take a due delivery: its next try is moved on before this one begins."""
    query = (
        select(AlertDelivery, AlertIncident, AlertChannel, Org)
        .join(AlertIncident, AlertIncident.id == AlertDelivery.incident_id)
        .join(AlertChannel, AlertChannel.id == AlertDelivery.channel_id)
        .join(Org, Org.id == AlertDelivery.org_id)
        .where(
            AlertDelivery.id == delivery_id,
            AlertDelivery.status == DeliveryStatus.QUEUED,
            AlertDelivery.next_attempt_at <= clock.now(),
        )
        .with_for_update(of=AlertDelivery, skip_locked=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, incident, channel, org = found
    if org.status != OrgStatus.ACTIVE:
        row.status = DeliveryStatus.SKIPPED
        return None
    wait_s = BACKOFF_S[min(row.attempts, len(BACKOFF_S) - 1)]
    row.attempts, row.next_attempt_at = row.attempts + 1, clock.now() + timedelta(seconds=wait_s)
    if row.event == AlertEvent.RECOVERED:
        await _give_up_opening(session, row)
    return Parcel(channel, _message(row, incident, org.slug), str(row.id))


async def _give_up_opening(session: AsyncSession, recovered: AlertDelivery) -> None:
    """News of an end makes an opening that was never taken old news."""
    await session.execute(
        update(AlertDelivery)
        .where(
            AlertDelivery.incident_id == recovered.incident_id,
            AlertDelivery.channel_id == recovered.channel_id,
            AlertDelivery.event == AlertEvent.OPENED,
            AlertDelivery.status == DeliveryStatus.QUEUED,
        )
        .values(status=DeliveryStatus.SKIPPED)
    )


async def _hand_over(parcel: Parcel) -> None:
    kind = ChannelKind(parcel.channel.kind)
    if kind is ChannelKind.EMAIL:
        text = alert_texts.mail_text(parcel.message)
        await mail.send(parcel.channel.config["to"], parcel.message.title, text)
        return
    secrets = alerts.channel_secrets(parcel.channel)
    slack = kind is ChannelKind.SLACK
    make = alert_texts.slack_body if slack else alert_texts.webhook_body
    body = make(parcel.message)
    headers = {} if slack else _headers(parcel, body, secrets["signing_secret"])
    await sandbox.run(
        NotifyJob(url=secrets["url"], headers=headers, body=body, egress=egress_policy())
    )


def _headers(parcel: Parcel, body: str, secret: str) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "X-ETLFabric-Event": parcel.message.event,
        "X-ETLFabric-Delivery": parcel.delivery_id,
        signing.TIMESTAMP_HEADER: str(timestamp),
        signing.SIGNATURE_HEADER: signing.sign(secret, timestamp, body.encode()),
    }


async def _note_failure(delivery_id: UUID, error: FabricError) -> DeliveryStatus:
    async with get_session() as session:
        row = await session.get_one(AlertDelivery, delivery_id, with_for_update=True)
        passing = error.where.get("passing", True)
        if not passing or row.attempts > len(BACKOFF_S):
            row.status = DeliveryStatus.FAILED
        row.last_error = error.message[:500]
        log.warning(
            "alert.not_taken", delivery=str(delivery_id), attempt=row.attempts, code=error.code
        )
        return DeliveryStatus(row.status)


def _message(row: AlertDelivery, incident: AlertIncident, org: str) -> AlertMessage:
    kind = AlertKind(incident.kind)
    return AlertMessage(
        event=AlertEvent(row.event).value,
        kind=kind,
        org=org,
        pipeline=incident.pipeline_name,
        rule=incident.rule_name,
        incident_id=incident.id,
        run_id=incident.run_id,
        title=alert_texts.title(row.event, kind, incident.pipeline_name, org),
        message=incident.message,
        remedy=incident.remedy if row.event == AlertEvent.OPENED else "",
        opened_at=incident.opened_at,
        recovered_at=incident.recovered_at if row.event == AlertEvent.RECOVERED else None,
    )
