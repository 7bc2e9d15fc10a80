"""Incidents: opened, counted, closed, told and listed. One incident is one message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.models import (
    AlertChannel,
    AlertDelivery,
    AlertIncident,
    AlertRule,
)
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.alerts import (
    AlertEvent,
    AlertKind,
    DeliveryOut,
    DeliveryStatus,
    IncidentOut,
)
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services import alert_texts, mutes, paging
from etlfabric_dagster.services.scope import OrgScope

SEND = "etlfabric.send_alert"
PAGE = 50

LASTING = (AlertKind.FAILURE, AlertKind.STALENESS)
"""Kinds that last until they recover; a schema change is over when it is told."""


async def open_incident(
    session: AsyncSession,
    rule: AlertRule,
    kind: AlertKind,
    pipeline_id: UUID,
    pipeline_name: str,
    at: datetime,
    message: str,
    remedy: str,
    run_id: UUID | None,
) -> int:
    """Open an incident, or count one more sign of an open one. Returns messages queued."""
    lasts = kind in LASTING
    statement = insert(AlertIncident).values(
        id=uuid4(),
        org_id=rule.org_id,
        rule_id=rule.id,
        rule_name=rule.name,
        kind=kind,
        pipeline_id=pipeline_id,
        pipeline_name=pipeline_name,
        run_id=run_id,
        message=message,
        remedy=remedy,
        occurrences=1,
        opened_at=at,
        last_seen_at=at,
        recovered_at=None if lasts else at,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["rule_id", "kind", "pipeline_id"],
        index_where=AlertIncident.recovered_at.is_(None),
        set_={
            "occurrences": AlertIncident.occurrences + int(run_id is not None),
            "last_seen_at": at,
            "run_id": run_id,
        },
    )
    is_new = literal_column("xmax = 0")
    row = (await session.execute(statement.returning(AlertIncident.id, is_new))).one()
    if not row[1] or kind not in rule.kinds:
        return 0
    return await _queue(session, rule, row[0], AlertEvent.OPENED)


async def recover(
    session: AsyncSession,
    rules: Sequence[AlertRule],
    pipeline_id: UUID,
    kinds: Sequence[AlertKind],
    at: datetime,
) -> int:
    """Close open incidents that began before `at`; who was told of one hears of its end."""
    by_id = {rule.id: rule for rule in rules}
    closed = await session.execute(
        update(AlertIncident)
        .where(
            AlertIncident.rule_id.in_(by_id),
            AlertIncident.pipeline_id == pipeline_id,
            AlertIncident.kind.in_(kinds),
            AlertIncident.recovered_at.is_(None),
            AlertIncident.last_seen_at <= at,
        )
        .values(recovered_at=at)
        .returning(AlertIncident.id, AlertIncident.rule_id, AlertIncident.kind)
    )
    told = 0
    for incident_id, rule_id, kind in closed.all():
        rule = by_id[rule_id]
        unheard = await mutes.take_back(session, incident_id) if kind in rule.kinds else set()
        if AlertKind.RECOVERY in rule.kinds:
            told += await _queue(session, rule, incident_id, AlertEvent.RECOVERED, unheard)
    return told


async def list_incidents(
    scope: OrgScope,
    *,
    open_only: bool = False,
    pipeline: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[IncidentOut]:
    """Incidents, newest first, with who was told. Two queries a page."""
    query = select(AlertIncident).where(AlertIncident.org_id == scope.org_id)
    if open_only:
        query = query.where(AlertIncident.recovered_at.is_(None))
    if pipeline:
        query = query.where(AlertIncident.pipeline_name == pipeline)
    if cursor:
        key = tuple_(AlertIncident.opened_at, AlertIncident.id)
        query = query.where(key < paging.decode(cursor, datetime.fromisoformat, UUID))
    query = query.order_by(AlertIncident.opened_at.desc(), AlertIncident.id.desc())
    rows = list(await scope.session.scalars(query.limit(limit + 1)))
    shown = rows[:limit]
    told = await _deliveries(scope.session, [row.id for row in shown])
    last = shown[-1] if len(rows) > limit else None
    return Page(
        items=tuple(_out(row, told.get(row.id, ())) for row in shown),
        next=paging.encode(last.opened_at.isoformat(), last.id) if last else None,
    )


async def _queue(
    session: AsyncSession,
    rule: AlertRule,
    incident_id: UUID,
    event: AlertEvent,
    unheard: set[UUID] | frozenset[UUID] = frozenset(),
) -> int:
    if await mutes.is_muted(session, incident_id):
        return 0
    now = clock.now()
    at = alert_texts.due(now, rule.quiet_from, rule.quiet_to, rule.timezone)
    channels = await session.scalars(
        select(AlertChannel.id).where(
            AlertChannel.org_id == rule.org_id, AlertChannel.name.in_(rule.channels)
        )
    )
    queued = 0
    for channel_id in set(channels) - unheard:
        delivery_id = await session.scalar(
            insert(AlertDelivery)
            .values(
                id=uuid4(),
                org_id=rule.org_id,
                incident_id=incident_id,
                channel_id=channel_id,
                event=event,
                status=DeliveryStatus.QUEUED,
                attempts=0,
                next_attempt_at=at,
            )
            .on_conflict_do_nothing()
            .returning(AlertDelivery.id)
        )
        if delivery_id is not None:
            queued += 1
            if at <= now:
                ring_after_commit(session, SEND, str(delivery_id), queue=INTERACTIVE)
    return queued


async def _deliveries(
    session: AsyncSession, incident_ids: Sequence[UUID]
) -> dict[UUID, tuple[DeliveryOut, ...]]:
    query = (
        select(AlertDelivery, AlertChannel.name)
        .join(AlertChannel, AlertChannel.id == AlertDelivery.channel_id)
        .where(AlertDelivery.incident_id.in_(incident_ids))
        .order_by(AlertDelivery.created_at, AlertChannel.name)
    )
    found: dict[UUID, tuple[DeliveryOut, ...]] = {}
    for row, channel in await session.execute(query):
        waits = row.status == DeliveryStatus.QUEUED
        told = DeliveryOut(
            channel=channel,
            event=AlertEvent(row.event),
            status=DeliveryStatus(row.status),
            attempts=row.attempts,
            error=row.last_error,
            next_attempt_at=row.next_attempt_at if waits else None,
            sent_at=row.sent_at,
        )
        found[row.incident_id] = (*found.get(row.incident_id, ()), told)
    return found


def _out(row: AlertIncident, deliveries: tuple[DeliveryOut, ...]) -> IncidentOut:
    fields = {
        name: getattr(row, name)
        for name in IncidentOut.model_fields
        if name not in ("rule", "pipeline", "deliveries")
    }
    return IncidentOut.model_validate(
        fields | {"rule": row.rule_name, "pipeline": row.pipeline_name, "deliveries": deliveries}
    )
