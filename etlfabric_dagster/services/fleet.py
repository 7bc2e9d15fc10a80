"""All orgs of the install: how they stand in one query, and many created at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, FabricError, NotFoundError
from etlfabric_dagster.schemas.fleet import (
    CreateReport,
    FleetStatus,
    FleetTotals,
    NotCreated,
    OrgHealth,
    OrgSpec,
)
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.services import connections, orgs, pipelines, schedules
from etlfabric_dagster.services.scope import Actor, org_scope, require_operator

AT_ONCE = 4  # orgs created side by side: PostgreSQL's catalogs are the limit, not we
MAX_SHOWN = 10_000

_ORGS = text(
    """
    WITH open AS (
        SELECT org_id,
            count(*) FILTER (WHERE status = 'queued') AS queued,
            count(*) FILTER (WHERE status = 'running') AS running,
            min(created_at) FILTER (WHERE status = 'queued') AS waits_since
        FROM runs WHERE status IN ('queued', 'running') GROUP BY org_id
    ), clock AS (
        SELECT org_id, count(*) AS schedules, min(next_fire_at) AS next_fire_at
        FROM schedules WHERE NOT paused GROUP BY org_id
    )
    SELECT o.slug, o.name, o.status, s.last_success_at,
        extract(epoch FROM clock_timestamp() - s.last_success_at)::float AS freshness_s,
        f.failures, coalesce(w.queued, 0) AS queued, coalesce(w.running, 0) AS running,
        coalesce(extract(epoch FROM clock_timestamp() - w.waits_since), 0)::float AS queue_s,
        coalesce(c.schedules, 0) AS schedules,
        CASE WHEN o.status = 'active' THEN greatest(
            extract(epoch FROM clock_timestamp() - c.next_fire_at), 0)::float ELSE 0 END AS lag_s,
        l.error AS definitions_error
    FROM orgs o
    CROSS JOIN LATERAL (  -- the last entry of an index, as the next one counts its end
        SELECT max(finished_at) AS last_success_at FROM runs
        WHERE org_id = o.id AND status = 'succeeded'
    ) s
    CROSS JOIN LATERAL (
        SELECT count(*) AS failures FROM runs
        WHERE org_id = o.id AND status = 'failed' AND finished_at > now() - interval '24 hours'
    ) f
    LEFT JOIN open w ON w.org_id = o.id
    LEFT JOIN clock c ON c.org_id = o.id
    LEFT JOIN code_locations l ON l.org_id = o.id
    """
)


async def status(actor: Actor, *, limit: int | None = None) -> FleetStatus:
    """How all orgs stand, the worst first. One query, whatever their number.

    Args:
        limit: orgs shown at most; None = all. Totals are always of all.
    """
    require_operator(actor, "see the fleet")
    async with get_session() as session:
        rows = await session.execute(_ORGS)
        found = [OrgHealth.model_validate(dict(row)) for row in rows.mappings()]
    found.sort(key=lambda org: org.trouble)
    return FleetStatus(items=tuple(found[:limit]), totals=_totals(found))


def _totals(found: Sequence[OrgHealth]) -> FleetTotals:
    return FleetTotals(
        orgs=len(found),
        active=sum(org.status is OrgStatus.ACTIVE for org in found),
        failing=sum(org.failures > 0 for org in found),
        failures=sum(org.failures for org in found),
        queued=sum(org.queued for org in found),
        running=sum(org.running for org in found),
        queue_s=max((org.queue_s for org in found), default=0),
        lag_s=max((org.lag_s for org in found), default=0),
    )


async def create_many(
    actor: Actor, specs: Sequence[OrgSpec], done: Callable[[str], None] = lambda _: None
) -> CreateReport:
    """Create orgs and what they start with, a few at a time. One that fails stops no other.

    Resumable: the same list again completes what is missing and leaves the rest as it is.

    Args:
        done: called with the slug as each has ended.
    """
    require_operator(actor, "create many orgs")
    room = asyncio.Semaphore(AT_ONCE)

    async def one(spec: OrgSpec) -> bool | NotCreated:
        async with room:
            try:
                return await _create(actor, spec)
            except FabricError as exc:
                return NotCreated(slug=spec.slug, message=exc.message, remedy=exc.remedy)
            finally:
                done(spec.slug)

    ends = await asyncio.gather(*map(one, specs))
    told = list(zip(specs, ends, strict=True))
    return CreateReport(
        created=tuple(spec.slug for spec, end in told if end is True),
        existing=tuple(spec.slug for spec, end in told if end is False),
        failed=tuple(end for end in ends if isinstance(end, NotCreated)),
    )


async def _create(actor: Actor, spec: OrgSpec) -> bool:
    """Whether anything was missing."""
    missing = False
    try:
        await orgs.create(actor, spec.slug, spec.name)
        missing = True
    except ConflictError:  # it is there; what it starts with may not be
        pass
    missing |= await _add_connection(actor, spec)
    missing |= await _add_pipeline(actor, spec)
    return await _add_schedule(actor, spec) or missing


async def _add_connection(actor: Actor, spec: OrgSpec) -> bool:
    wanted = spec.connection
    if wanted is None:
        return False
    secrets = {name: secret.get_secret_value() for name, secret in wanted.secrets.items()}
    async with org_scope(actor, spec.slug) as scope:
        try:
            await connections.get(scope, wanted.name)
        except NotFoundError:
            await connections.create(scope, wanted.name, wanted.connector, wanted.config, secrets)
            return True
    return False


async def _add_pipeline(actor: Actor, spec: OrgSpec) -> bool:
    wanted = spec.pipeline
    if wanted is None:
        return False
    try:
        await pipelines.get_by_name(actor, spec.slug, wanted.name)
    except NotFoundError:
        facts: dict[str, Any] = {"streams": wanted.streams, "models": wanted.models}
        source = spec.connection.name if spec.connection else None
        await pipelines.create(actor, spec.slug, wanted.name, connection=source, **facts)
        return True
    return False


async def _add_schedule(actor: Actor, spec: OrgSpec) -> bool:
    if spec.schedule is None or spec.pipeline is None:
        return False
    async with org_scope(actor, spec.slug) as scope:
        try:
            await schedules.get(scope, spec.pipeline.name)
        except NotFoundError:
            await schedules.set_schedule(scope, spec.pipeline.name, **spec.schedule.model_dump())
            return True
    return False
