"""Troubles that somebody asked not to hear of for a while."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.models import AlertDelivery, AlertIncident
from etlfabric_dagster.schemas.alerts import DeliveryStatus
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import OrgScope

MAX_MUTE_H = 24 * 14


async def mute(scope: OrgScope, incident_id: UUID, hours: int) -> None:
    """Tell nobody of this kind of trouble in this pipeline for so long; 0 ends it.

    Messages that wait are taken back. Raises NotFoundError, InvalidInputError.
    """
    scope.require("alerts.update")
    if not 0 <= hours <= MAX_MUTE_H:
        raise InvalidInputError(
            f"An alert cannot be muted for {hours} hours.",
            f"Give 0 to {MAX_MUTE_H}.",
            field="hours",
        )
    row = await scope.session.scalar(
        select(AlertIncident).where(
            AlertIncident.id == incident_id, AlertIncident.org_id == scope.org_id
        )
    )
    if row is None:
        raise NotFoundError(f"There is no incident {incident_id}.", "List the incidents.")
    row.muted_until = clock.now() + timedelta(hours=hours) if hours else None
    if hours:
        await take_back(scope.session, row.id)
    target, after = f"alerts/incidents/{row.id}", {"muted_hours": hours}
    await audit.record(scope, "alerts.update", target, after=after)


async def count_open(scope: OrgScope) -> int:
    """Troubles that go on and are not muted: what somebody should look at."""
    muted = func.coalesce(AlertIncident.muted_until, clock.now()) > clock.now()
    query = select(func.count()).where(
        AlertIncident.org_id == scope.org_id, AlertIncident.recovered_at.is_(None), ~muted
    )
    return await scope.session.scalar(query) or 0


async def is_muted(session: AsyncSession, incident_id: UUID) -> bool:
    """Whether somebody muted this kind of trouble in this pipeline, in this incident or before."""
    this = select(AlertIncident.pipeline_id, AlertIncident.kind).where(
        AlertIncident.id == incident_id
    )
    query = select(AlertIncident.id).where(
        tuple_(AlertIncident.pipeline_id, AlertIncident.kind).in_(this),
        AlertIncident.muted_until > clock.now(),
    )
    return await session.scalar(query.limit(1)) is not None


async def take_back(session: AsyncSession, incident_id: UUID) -> set[UUID]:
    """Take back messages that quiet hours still hold; their channels hear nothing of it at all."""
    skipped = await session.scalars(
        update(AlertDelivery)
        .where(
            AlertDelivery.incident_id == incident_id,
            AlertDelivery.status == DeliveryStatus.QUEUED,
            AlertDelivery.attempts == 0,
            AlertDelivery.next_attempt_at > clock.now(),
        )
        .values(status=DeliveryStatus.SKIPPED)
        .returning(AlertDelivery.channel_id)
    )
    return set(skipped)
