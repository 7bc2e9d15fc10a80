"""What operators look at: a list of orgs that can be searched, the queue, and what suspending does.

A fixed number of queries a page, whatever the number of orgs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import InteractiveRequest, Org
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.fleet import Consequences, FleetLoad, OrgCard
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.services import quotas
from etlfabric_dagster.services.scope import Actor, find_org, require_operator

PAGE = 50
_STANDING = (OrgStatus.ACTIVE, OrgStatus.SUSPENDED)

_WORK = text(
    """
    WITH last AS (
        SELECT DISTINCT ON (pipeline_id) org_id, status FROM runs
        WHERE org_id = ANY(:ids) AND status IN ('succeeded', 'failed')
        ORDER BY pipeline_id, created_at DESC
    ), work AS (
        SELECT org_id, count(*) FILTER (WHERE status = 'queued') AS queued,
            count(*) FILTER (WHERE status = 'running') AS running,
            max(created_at) AS last_active_at
        FROM runs WHERE org_id = ANY(:ids) GROUP BY org_id
    ), loaded AS (
        SELECT org_id, round(sum(rows) / 7.0)::bigint AS rows FROM usage_days
        WHERE org_id = ANY(:ids) AND day > (clock_timestamp() AT TIME ZONE 'UTC')::date - 7
        GROUP BY org_id
    )
    SELECT o.id, coalesce(w.queued, 0) AS queued, coalesce(w.running, 0) AS running,
        w.last_active_at, coalesce(l.rows, 0) AS rows_per_day,
        (SELECT count(*) FROM last WHERE last.org_id = o.id AND last.status = 'failed') AS failing
    FROM unnest(:ids) AS o(id)
    LEFT JOIN work w ON w.org_id = o.id
    LEFT JOIN loaded l ON l.org_id = o.id
    """
)
_STORED = text(
    """
    SELECT n.nspname AS schema, sum(pg_total_relation_size(c.oid))::bigint AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'm', 'p') GROUP BY 1
    """
)
_CONSEQUENCES = text(
    """
    SELECT (SELECT count(*) FROM runs
            WHERE org_id = :id AND status IN ('queued', 'running')) AS runs,
        (SELECT count(*) FROM schedules WHERE org_id = :id AND NOT paused) AS schedules,
        (SELECT count(*) FROM pg_roles
            WHERE rolcanlogin AND rolname LIKE 'tenant\\_' || :hex || '\\_%') AS logins
    """
)
_LOAD = text(
    """
    SELECT count(*) FILTER (WHERE r.status = 'queued') AS queued,
        count(*) FILTER (WHERE r.status = 'running') AS running,
        coalesce(extract(epoch FROM clock_timestamp()
            - min(r.created_at) FILTER (WHERE r.status = 'queued')), 0)::float AS oldest_wait_s,
        (array_agg(o.slug ORDER BY r.created_at)
            FILTER (WHERE r.status = 'queued'))[1] AS oldest_org,
        count(*) FILTER (WHERE r.status = 'running'
            AND r.lease_until < clock_timestamp()) AS overdue_leases
    FROM runs r JOIN orgs o ON o.id = r.org_id WHERE r.status IN ('queued', 'running')
    """
)


async def list_orgs(
    actor: Actor, query: str = "", cursor: str | None = None, limit: int = PAGE
) -> Page[OrgCard]:
    """Orgs whose slug or name contains `query`, by slug, one page. Operators."""
    require_operator(actor, "see all orgs")
    wanted = select(Org).where(Org.slug > (cursor or "")).order_by(Org.slug).limit(limit + 1)
    if query:
        has = (
            Org.slug.icontains(query, autoescape=True),
            Org.name.icontains(query, autoescape=True),
        )
        wanted = wanted.where(has[0] | has[1])
    async with get_session() as session:
        rows = list(await session.scalars(wanted))
        shown = rows[:limit]
        facts = await _facts(session, shown)
        items = tuple(
            OrgCard(
                slug=row.slug,
                name=row.name,
                status=OrgStatus(row.status),
                max_concurrent_runs=row.max_concurrent_runs,
                **facts[row.id],
            )
            for row in shown
        )
    return Page(items=items, next=shown[-1].slug if len(rows) > limit else None)


async def consequences(actor: Actor, slug: str) -> Consequences:
    """What suspending the org would do now. Operators. Raises NotFoundError."""
    require_operator(actor, "suspend orgs")
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        found = await session.execute(_CONSEQUENCES, {"id": org.id, "hex": org.id.hex})
        return Consequences.model_validate(dict(found.mappings().one()))


async def load(actor: Actor) -> FleetLoad:
    """How much work waits, and for whom longest. Operators."""
    require_operator(actor, "see the fleet")
    asked = select(func.count()).where(InteractiveRequest.status == "queued")
    async with get_session() as session:
        found = dict((await session.execute(_LOAD)).mappings().one())
        found["interactive_waiting"] = await session.scalar(asked) or 0
    return FleetLoad.model_validate(found)


async def _facts(session: AsyncSession, orgs: Sequence[Org]) -> dict[UUID, dict[str, Any]]:
    """By org: pipelines, failing, rows, storage, open runs."""
    if not orgs:
        return {}
    rows = await session.execute(_WORK, {"ids": [org.id for org in orgs]})
    found = {row["id"]: {k: v for k, v in row.items() if k != "id"} for row in rows.mappings()}
    pipelines = await _pipelines(session, [o.id for o in orgs if o.status in _STANDING])
    stored = await _stored(session, [org.id for org in orgs])
    for org_id, facts in found.items():
        facts["pipelines"] = pipelines.get(org_id, 0)
        facts["storage_bytes"] = stored.get(org_id, 0)
    return found


async def _pipelines(session: AsyncSession, org_ids: Sequence[UUID]) -> dict[UUID, int]:
    if not org_ids:
        return {}
    counts = " UNION ALL ".join(
        f"SELECT '{org_id}'::uuid, count(*) FROM tenant_{org_id.hex}.pipelines"  # noqa: S608 - ids
        for org_id in org_ids
    )
    return {org_id: count for org_id, count in await session.execute(text(counts))}


async def _stored(session: AsyncSession, org_ids: Sequence[UUID]) -> dict[UUID, int]:
    schemas = {
        f"tenant_{org_id.hex}_{layer}": org_id for org_id in org_ids for layer in quotas.DATA
    }
    sizes: dict[UUID, int] = {}
    for schema, size in await session.execute(_STORED, {"schemas": list(schemas)}):
        sizes[schemas[schema]] = sizes.get(schemas[schema], 0) + size
    return sizes
