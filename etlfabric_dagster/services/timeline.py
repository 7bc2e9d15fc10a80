"""What an org's schedules did and will do around now: one box per run, in two queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from etlfabric_dagster import clock
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.schemas.health import TimelineEvent, TimelineRow
from etlfabric_dagster.services import clockwork, pipeline_health
from etlfabric_dagster.services.scope import OrgScope

MAX_RUNS = 20_000
"""Past runs read at most, newest first."""
MAX_FIRES = 2_000
"""Fires looked ahead at most, per schedule."""


async def around_now(
    scope: OrgScope, span: timedelta, *, after: str | None = None, limit: int = 50
) -> tuple[TimelineRow, ...]:
    """Schedules by pipeline, with their runs of half of `span` ago until half of it ahead.

    A paused schedule has no runs ahead; their length is the pipeline's usual one.
    """
    now = clock.now()
    query = select(Schedule).where(Schedule.org_id == scope.org_id).order_by(Schedule.pipeline_name)
    if after is not None:
        query = query.where(Schedule.pipeline_name > after)
    rows = list(await scope.session.scalars(query.limit(limit)))
    ids = [row.pipeline_id for row in rows]
    past = await _past(scope, ids, now - span / 2)
    health = await pipeline_health.of(scope.session, ids)
    return tuple(
        TimelineRow(
            pipeline=row.pipeline_name,
            cron=row.cron,
            interval_s=row.interval_s,
            timezone=row.timezone,
            paused=row.paused,
            next_fire_at=None if row.paused else row.next_fire_at,
            usual_s=health[row.pipeline_id].usual_s,
            past=tuple(past.get(row.pipeline_id, ())),
            ahead=() if row.paused else tuple(_ahead(row, now, now + span / 2)),
        )
        for row in rows
    )


async def _past(
    scope: OrgScope, pipeline_ids: Sequence[UUID], since: datetime
) -> dict[UUID, list[TimelineEvent]]:
    began = func.coalesce(Run.started_at, Run.created_at)
    query = (
        select(Run.pipeline_id, Run.status, began, Run.finished_at)
        .where(
            Run.org_id == scope.org_id,
            Run.pipeline_id.in_(pipeline_ids),
            Run.created_at >= since,
        )
        .order_by(Run.created_at.desc())
        .limit(MAX_RUNS)
    )
    found: dict[UUID, list[TimelineEvent]] = {}
    for pipeline_id, status, at, finished in await scope.session.execute(query):
        end = finished or clock.now()
        event = TimelineEvent(at=at, seconds=(end - at).total_seconds(), status=status)
        found.setdefault(pipeline_id, []).append(event)
    return {pipeline_id: events[::-1] for pipeline_id, events in found.items()}


def _ahead(row: Schedule, now: datetime, until: datetime) -> list[datetime]:
    delay = clockwork.delay(row.id, row.jitter_s)
    rule = row.cron, row.interval_s, row.timezone
    at = row.next_fire_at or clockwork.next_fire(*rule, now, None, delay)
    fires: list[datetime] = []
    while at <= until and len(fires) < MAX_FIRES:
        fires.append(at)
        at = clockwork.next_fire(*rule, at, at, delay)
    return fires
