"""An org at a glance, and its pipelines with how they fare. A fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from etlfabric_dagster import clock
from etlfabric_dagster.models import AlertIncident, Run, UsageDay
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.health import (
    NextFire,
    OldestMart,
    Overview,
    PipelineBrief,
    PipelineListItem,
    RowsOfDay,
)
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import dbt_store, pipeline_health, pipelines
from etlfabric_dagster.services.scope import OrgScope

DAYS = 30
NEXT = 5


async def list_pipelines(
    scope: OrgScope, *, cursor: str | None = None, limit: int = 100
) -> Page[PipelineListItem]:
    """Pipelines by name with state, freshness and the last 14 outcomes, one page."""
    listed = (await pipelines.list_pipelines(scope)).items
    after = [item for item in listed if cursor is None or item.name > cursor]
    shown = after[:limit]
    states = await pipeline_health.of(scope.session, [item.id for item in shown])
    items = tuple(
        PipelineListItem(
            **dict(item),
            state=pipeline_health.state_of(states[item.id], paused=item.paused),
            health=states[item.id],
        )
        for item in shown
    )
    return Page(items=items, next=shown[-1].name if len(after) > limit else None)


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
            PipelineBrief(name=item.name, since=_failing_since(item), error=item.health.error)
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


async def _all(scope: OrgScope) -> list[PipelineListItem]:
    return list((await list_pipelines(scope, limit=10_000)).items)


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


async def _oldest_mart(scope: OrgScope, items: Sequence[PipelineListItem]) -> OldestMart | None:
    """A mart is as fresh as the last good run of a pipeline that builds it."""
    manifest = await dbt_store.manifest_of(scope)
    if manifest is None:
        return None
    fresh = {item.name: item.health.fresh_at for item in items}
    nodes = manifest.manifest.get("nodes", {})
    built: dict[str, OldestMart] = {}
    for pipeline, unique_ids in manifest.selections.items():
        at = fresh.get(pipeline)
        for node in (nodes.get(unique_id, {}) for unique_id in unique_ids):
            if at and node.get("resource_type") == "model" and _is_mart(node):
                known = built.get(node["name"])
                if known is None or known.fresh_at < at:
                    built[node["name"]] = OldestMart(table=node["name"], fresh_at=at)
    return min(built.values(), key=lambda mart: mart.fresh_at, default=None)


def _is_mart(node: dict[str, object]) -> bool:
    return str(node.get("schema", "")).endswith("_marts")


def _failing_since(item: PipelineListItem) -> datetime | None:
    """When the row of failures at the end of the last 14 runs began."""
    since = None
    for outcome in reversed(item.health.outcomes):
        if outcome.status is RunStatus.SUCCEEDED:
            break
        since = outcome.at if outcome.status is RunStatus.FAILED else since
    return since


async def _open_incidents(scope: OrgScope) -> int:
    query = select(func.count()).where(
        AlertIncident.org_id == scope.org_id, AlertIncident.recovered_at.is_(None)
    )
    return await scope.session.scalar(query) or 0
