"""An org at a glance, and its pipelines with how they fare. A fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func, select

from etlfabric_dagster import clock
from etlfabric_dagster.models import AlertIncident, Pipeline, Run, UsageDay
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.health import (
    NextFire,
    OldestMart,
    Overview,
    PipelineBrief,
    PipelineHealth,
    PipelineListItem,
    RowsOfDay,
)
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import dbt_nodes, pipeline_health, pipelines
from etlfabric_dagster.services.scope import OrgScope

DAYS = 30
NEXT = 5


async def list_pipelines(
    scope: OrgScope, *, cursor: str | None = None, limit: int = 100
) -> Page[PipelineListItem]:
    """Pipelines by name with state, freshness and the last 14 outcomes, one page."""
    shown = await pipelines.list_pipelines(scope, cursor, limit)
    states = await pipeline_health.of(scope.session, [item.id for item in shown.items])
    items = tuple(
        PipelineListItem(
            **dict(item),
            state=pipeline_health.state_of(states[item.id], paused=item.paused),
            health=states[item.id],
        )
        for item in shown.items
    )
    return Page(items=items, next=shown.next)


async def show(scope: OrgScope) -> Overview:
    """What fails, what is late, what runs next, and how much was loaded."""
    items = await _all(scope)
    failing = [item for item in items if item.health.failing and not item.paused]
    late = [
        item
        for item in items
        if item.health.late_since and not item.health.failing and not item.paused
    ]
    running, queued, rate = await _runs(scope)
    days = await _rows_per_day(scope)
    today = clock.now().date()
    fires = sorted(
        (item.health.next_fire_at, item.name) for item in items if item.health.next_fire_at
    )
    return Overview(
        org=scope.slug,
        pipelines=len(items),
        failing=tuple(
            PipelineBrief(name=item.name, since=item.health.failing_since, error=item.health.error)
            for item in failing
        ),
        late=tuple(PipelineBrief(name=item.name, since=item.health.late_since) for item in late),
        fine=len(items) - len(failing) - len(late),
        oldest_mart=await _oldest_mart(scope, items),
        success_rate_7d=rate,
        rows_today=next((day.rows for day in days if day.day == today), 0),
        running=running,
        queued=queued,
        rows_per_day=days,
        next=tuple(NextFire(pipeline=name, at=at) for at, name in fires[:NEXT]),
        open_incidents=await _open_incidents(scope),
    )


@dataclass(frozen=True)
class _Item:
    """A pipeline with as much of its health as the overview tells."""

    id: UUID
    name: str
    paused: bool
    health: PipelineHealth


async def _all(scope: OrgScope) -> list[_Item]:
    query = select(Pipeline.id, Pipeline.name, Pipeline.paused).order_by(Pipeline.name)
    rows = (await scope.session.execute(query)).all()
    states = await pipeline_health.of(scope.session, [row.id for row in rows], history=False)
    return [_Item(row.id, row.name, row.paused, states[row.id]) for row in rows]


async def _runs(scope: OrgScope) -> tuple[int, int, float | None]:
    """Running, queued, and the share that succeeded in 7 days (canceled ones left out)."""
    counted = [
        func.count(case((Run.status == status, 1)))
        for status in (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.SUCCEEDED, RunStatus.FAILED)
    ]
    since = clock.now() - timedelta(days=7)
    query = select(*counted).where(Run.org_id == scope.org_id, Run.created_at > since)
    running, queued, succeeded, failed = (await scope.session.execute(query)).one()
    ended = succeeded + failed
    return running, queued, succeeded / ended if ended else None


async def _rows_per_day(scope: OrgScope) -> tuple[RowsOfDay, ...]:
    first = clock.now().date() - timedelta(days=DAYS - 1)
    query = (
        select(UsageDay.day, func.sum(UsageDay.rows))
        .where(UsageDay.org_id == scope.org_id, UsageDay.day >= first)
        .group_by(UsageDay.day)
        .order_by(UsageDay.day)
    )
    rows = await scope.session.execute(query)
    return tuple(RowsOfDay(day=day, rows=int(count)) for day, count in rows)


async def _oldest_mart(scope: OrgScope, items: Sequence[_Item]) -> OldestMart | None:
    """A mart is as fresh as the last good run of a pipeline that builds it."""
    fresh = {item.name: item.health.fresh_at for item in items if item.health.fresh_at}
    built = await dbt_nodes.of(scope)
    marts: dict[str, datetime] = {}
    for pipeline in built.selections.keys() & fresh.keys():
        for mart in built.marts(pipeline):
            marts[mart] = max(marts.get(mart, fresh[pipeline]), fresh[pipeline])
    oldest = min(marts, key=lambda mart: (marts[mart], mart), default=None)
    return OldestMart(table=oldest, fresh_at=marts[oldest]) if oldest else None


async def _open_incidents(scope: OrgScope) -> int:
    query = select(func.count()).where(
        AlertIncident.org_id == scope.org_id, AlertIncident.recovered_at.is_(None)
    )
    return await scope.session.scalar(query) or 0
