"""Schedules: set, remove, list, pause, resume, and the poller that fires what is due.

Any number of pollers may run: a due schedule is locked, fired and moved on in one transaction, and
a run's fire key is unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Row, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import Org, Pipeline, Schedule
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.pipelines import ScheduleOut
from etlfabric_dagster.schemas.runs import RunSelection, Trigger
from etlfabric_dagster.services import audit, clockwork, named_pages, quotas
from etlfabric_dagster.services.runs import insert_runs
from etlfabric_dagster.services.scope import OrgScope

DUE_LIMIT = 500

_CLOCK = (
    *(Schedule.id, Schedule.cron, Schedule.interval_s, Schedule.timezone, Schedule.jitter_s),
    Schedule.next_fire_at,
)
_MOVE_ON = text(
    """
    UPDATE schedules SET next_fire_at = moved.following,
        last_fire_at = coalesce(moved.last, schedules.last_fire_at)
    FROM unnest(cast(:ids AS uuid[]), cast(:following AS timestamptz[]),
        cast(:lasts AS timestamptz[])) AS moved(id, following, last)
    WHERE schedules.id = moved.id
    """
)


async def set_schedule(
    scope: OrgScope,
    pipeline: str,
    *,
    cron: str | None = None,
    interval_s: int | None = None,
    timezone: str = "UTC",
    jitter_s: int = 0,
) -> ScheduleOut:
    """Set when a pipeline runs, replacing what was set before.

    With `jitter_s` it fires up to so many seconds later, always by the same delay.
    Raises InvalidInputError for a cron expression, interval, time zone or jitter that cannot be,
    and NotFoundError.
    """
    scope.require("schedules.set")
    clockwork.check(cron, interval_s, timezone, jitter_s)
    target = await _pipeline(scope, pipeline)
    known = await _find(scope, target.id, lock=True)
    before = _out(known) if known else None
    row = known or Schedule(id=uuid4(), org_id=scope.org_id, pipeline_id=target.id)
    row.pipeline_name, row.paused = target.name, target.paused
    row.cron, row.interval_s, row.timezone = cron, interval_s, timezone
    row.jitter_s = jitter_s
    row.next_fire_at = _next_from_now(row)
    scope.session.add(row)
    await scope.session.flush()
    await audit.record(
        scope, "schedules.set", f"schedules/{pipeline}", before=before, after=_out(row)
    )
    return _out(row)


async def remove(scope: OrgScope, pipeline: str) -> None:
    """Remove a pipeline's schedule. Raises NotFoundError when it has none."""
    scope.require("schedules.remove")
    row = await _require(scope, pipeline, lock=True)
    await scope.session.delete(row)
    await scope.session.flush()
    await audit.record(scope, "schedules.remove", f"schedules/{pipeline}", before=_out(row))


async def get(scope: OrgScope, pipeline: str) -> ScheduleOut:
    """A pipeline's schedule. Raises NotFoundError when it has none."""
    return _out(await _require(scope, pipeline))


async def list_schedules(
    scope: OrgScope, cursor: str | None = None, limit: int | None = None
) -> Page[ScheduleOut]:
    """The org's schedules by pipeline: a page, or all without a limit."""
    theirs = select(Schedule).where(Schedule.org_id == scope.org_id)
    query = named_pages.window(theirs, Schedule.pipeline_name, cursor, limit)
    found = [_out(row) for row in await scope.session.scalars(query)]
    return named_pages.page(found, limit, lambda one: one.pipeline)


async def next_fires(scope: OrgScope, pipeline: str, count: int) -> tuple[datetime, ...]:
    """When it fires next, none while it is paused. Raises NotFoundError when it has no schedule."""
    row = await _require(scope, pipeline)
    if row.paused:
        return ()
    fires = [row.next_fire_at or _next_from_now(row)]
    while len(fires) < count:
        fires.append(_next(row, fires[-1], fires[-1]))
    return tuple(fires)


async def pause(scope: OrgScope, pipeline: str) -> ScheduleOut:
    """Stop firing. Idempotent."""
    return await _set_paused(scope, pipeline, paused=True)


async def resume(scope: OrgScope, pipeline: str) -> ScheduleOut:
    """Fire again from now on, without catching up. Idempotent."""
    return await _set_paused(scope, pipeline, paused=False)


async def fire_due(now: datetime, limit: int = DUE_LIMIT) -> int:
    """Queue a run for each schedule that is due; returns how many schedules were looked at.

    Slots missed while nobody polled become one run. Schedules of orgs that are not
    active, or have used up their quota, move on without firing. Safe to call from any number of
    processes at once.
    """
    async with get_session() as session:
        due = await _lock_due(session, now, limit)
        moves = [(one.id, _next(one, now, one.next_fire_at), one.next_fire_at) for one in due]
        resting = await quotas.exhausted(session, {one.org_id for one in due})
        fired = [
            one
            for one in due
            if one.next_fire_at and one.status == OrgStatus.ACTIVE and one.org_id not in resting
        ]
        await insert_runs(session, list(map(_run, fired)))
        await _move_on(session, moves, {one.id for one in fired})
    return len(due)


async def _lock_due(session: AsyncSession, now: datetime, limit: int) -> Sequence[Row[Any]]:
    query = (
        select(*_CLOCK, Schedule.org_id, Schedule.pipeline_id, Schedule.pipeline_name, Org.status)
        .join(Org, Org.id == Schedule.org_id)
        .where(
            Schedule.paused.is_(False),
            # no next time: it was paused and starts anew
            or_(Schedule.next_fire_at <= now, Schedule.next_fire_at.is_(None)),
        )
        .order_by(Schedule.next_fire_at)
        .limit(limit)
        .with_for_update(of=Schedule, skip_locked=True)
    )
    return (await session.execute(query)).all()


async def _move_on(
    session: AsyncSession,
    moves: Sequence[tuple[UUID, datetime, datetime | None]],
    fired: set[UUID],
) -> None:
    """All in one statement: 10,000 that are due at once take a second, not ten."""
    ids, following, slots = zip(*moves, strict=True) if moves else ((), (), ())
    lasts = [slot if one in fired else None for one, slot in zip(ids, slots, strict=True)]
    arguments = {"ids": list(ids), "following": list(following), "lasts": lasts}
    await session.execute(_MOVE_ON, arguments)


def _next(one: Schedule | Row[Any], after: datetime, last: datetime | None) -> datetime:
    delay = clockwork.delay(one.id, one.jitter_s)
    return clockwork.next_fire(one.cron, one.interval_s, one.timezone, after, last, delay)


def _run(due: Row[Any]) -> dict[str, object]:
    slot = due.next_fire_at.isoformat()
    return {
        "id": uuid5(due.id, slot),  # 500 random ones cost half of a batch's time
        "org_id": due.org_id,
        "pipeline_id": due.pipeline_id,
        "pipeline_name": due.pipeline_name,
        "trigger": Trigger.SCHEDULE,
        "fire_key": f"{due.id}:{slot}",
        "selection": RunSelection().model_dump(mode="json"),
        "max_attempts": settings.max_attempts,
        "created_by": "schedule",
        "streams": {},
        "models": {},
    }


async def _set_paused(scope: OrgScope, pipeline: str, *, paused: bool) -> ScheduleOut:
    action = "schedules.pause" if paused else "schedules.resume"
    scope.require(action)
    row = await _require(scope, pipeline, lock=True)
    before = _out(row)
    row.paused, row.next_fire_at = paused, None if paused else _next_from_now(row)
    await scope.session.flush()
    await audit.record(scope, action, f"schedules/{pipeline}", before=before, after=_out(row))
    return _out(row)


def _next_from_now(row: Schedule) -> datetime:
    return _next(row, clock.now(), None)


async def _require(scope: OrgScope, pipeline: str, *, lock: bool = False) -> Schedule:
    target = await _pipeline(scope, pipeline)
    row = await _find(scope, target.id, lock=lock)
    if row is None:
        raise NotFoundError(
            f"Pipeline '{pipeline}' has no schedule.",
            f'Set one: etlfabric schedules set {scope.slug} {pipeline} --cron "0 * * * *"',
        )
    return row


async def _find(scope: OrgScope, pipeline_id: UUID, *, lock: bool = False) -> Schedule | None:
    query = select(Schedule).where(
        Schedule.pipeline_id == pipeline_id, Schedule.org_id == scope.org_id
    )
    return await scope.session.scalar(query.with_for_update() if lock else query)


async def _pipeline(scope: OrgScope, name: str) -> Pipeline:
    row = await scope.session.scalar(select(Pipeline).where(Pipeline.name == name))
    if row is None:
        raise NotFoundError(
            f"There is no pipeline '{name}' in '{scope.slug}'.",
            f"List them: etlfabric pipelines list {scope.slug}",
        )
    return row


def _out(row: Schedule) -> ScheduleOut:
    return ScheduleOut(
        id=row.id,
        pipeline=row.pipeline_name,
        cron=row.cron,
        interval_s=row.interval_s,
        timezone=row.timezone,
        jitter_s=row.jitter_s,
        next_fire_at=row.next_fire_at,
        paused=row.paused,
    )
