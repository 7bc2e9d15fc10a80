"""How pipelines fare: outcomes, freshness, lateness. Two queries, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, RowMapping, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.models import Pipeline, Run, Schedule
from etlfabric_dagster.schemas.health import Outcome, PipelineHealth, PipelineState
from etlfabric_dagster.schemas.runs import ErrorInfo, RunStatus
from etlfabric_dagster.services import clockwork

MIN_GRACE = timedelta(minutes=15)
OUTCOMES = 14
SUCCESSES = 20  # their median is the usual duration

# Each lateral reads a few rows from the end of an index, and none where its first condition does
# not hold; `due` is the first scheduled run that no success has answered.
_STATE = """
    LEFT JOIN LATERAL (
        SELECT status, error, created_at, finished_at FROM runs
        WHERE pipeline_id = p.id AND status IN ('succeeded', 'failed')
        ORDER BY created_at DESC LIMIT 1
    ) v ON true
    LEFT JOIN LATERAL (
        SELECT created_at, finished_at FROM runs
        WHERE v.status = 'failed' AND pipeline_id = p.id AND status = 'succeeded'
        ORDER BY created_at DESC LIMIT 1
    ) s ON true
    CROSS JOIN LATERAL (
        SELECT CASE v.status WHEN 'succeeded' THEN v.created_at ELSE s.created_at END AS asked_at,
            CASE v.status WHEN 'succeeded' THEN v.finished_at ELSE s.finished_at END AS ended_at
    ) good
    LEFT JOIN LATERAL (
        SELECT created_at FROM runs
        WHERE pipeline_id = p.id AND created_at > coalesce(good.asked_at, '-infinity')
          AND trigger = 'schedule' AND status <> 'canceled'
        ORDER BY created_at LIMIT 1
    ) d ON true
    LEFT JOIN LATERAL (
        SELECT created_at FROM runs
        WHERE v.status = 'failed' AND pipeline_id = p.id
          AND created_at > coalesce(good.asked_at, '-infinity')
          AND status = 'failed' ORDER BY created_at LIMIT 1
    ) b ON true
"""
_HISTORY = """
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(to_jsonb(r) ORDER BY r.at) AS outcomes FROM (
            SELECT id AS run_id, status, rows_loaded AS rows, created_at AS at,
                extract(epoch FROM finished_at - started_at)::float AS seconds
            FROM runs WHERE pipeline_id = p.id ORDER BY created_at DESC LIMIT :outcomes) r
    ) o ON true
    LEFT JOIN LATERAL (
        SELECT created_at FROM runs WHERE pipeline_id = p.id ORDER BY created_at LIMIT 1
    ) f ON true
    LEFT JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY r.seconds) AS usual_s FROM (
            SELECT extract(epoch FROM finished_at - started_at)::float AS seconds FROM runs
            WHERE pipeline_id = p.id AND status = 'succeeded'
            ORDER BY created_at DESC LIMIT :successes) r
    ) u ON true
"""
_TOLD = """p.id, good.ended_at AS fresh_at, d.created_at AS due_at, v.status AS verdict, v.error,
        b.created_at AS failing_since"""
_IDS = bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True)))
_NOW = text(
    f"SELECT {_TOLD}, NULL AS outcomes, NULL AS first_run_at, NULL AS usual_s"  # noqa: S608 - no input
    f" FROM unnest(:ids) AS p(id) {_STATE}"
).bindparams(_IDS)
_WITH_HISTORY = text(
    f"SELECT {_TOLD}, o.outcomes, f.created_at AS first_run_at, u.usual_s"  # noqa: S608 - no input
    f" FROM unnest(:ids) AS p(id) {_STATE} {_HISTORY}"
).bindparams(_IDS, outcomes=OUTCOMES, successes=SUCCESSES)
_SCHEDULES = select(
    *(Schedule.pipeline_id, Schedule.cron, Schedule.interval_s, Schedule.timezone),
    *(Schedule.paused, Schedule.next_fire_at),
)


async def of(
    session: AsyncSession, pipeline_ids: Sequence[UUID], *, history: bool = True
) -> dict[UUID, PipelineHealth]:
    """The health of each; pipelines without runs included.

    Args:
        history: their last outcomes (and with them `running`), first run and usual duration too,
            which are most of the work.
    """
    if not pipeline_ids:
        return {}
    statement = _WITH_HISTORY if history else _NOW
    rows = (await session.execute(statement, {"ids": list(pipeline_ids)})).mappings().all()
    found = await session.execute(_SCHEDULES.where(Schedule.pipeline_id.in_(pipeline_ids)))
    schedules = {row.pipeline_id: row for row in found}
    return {row["id"]: _health(row, schedules.get(row["id"]), clock.now()) for row in rows}


async def count_failing(session: AsyncSession) -> int:
    """Pipelines of the session's org whose last verdict is a failure, paused ones left out."""
    verdicts = (RunStatus.SUCCEEDED, RunStatus.FAILED)
    last = (
        select(Run.status)
        .where(Run.pipeline_id == Pipeline.id, Run.status.in_(verdicts))
        .order_by(Run.created_at.desc())
        .limit(1)
        .correlate(Pipeline)
        .scalar_subquery()
    )
    query = select(func.count()).select_from(Pipeline)
    return await session.scalar(query.where(~Pipeline.paused, last == RunStatus.FAILED)) or 0


def state_of(health: PipelineHealth, *, paused: bool) -> PipelineState:
    """The one badge."""
    fits = (
        (PipelineState.RUNNING, health.running),
        (PipelineState.PAUSED, paused),
        (PipelineState.FAILING, health.failing),
        (PipelineState.LATE, health.late_since is not None),
        (PipelineState.NEVER_RUN, not health.outcomes),
    )
    return next((state for state, fit in fits if fit), PipelineState.HEALTHY)


def late_since(
    due_at: datetime | None, schedule: Schedule | Row[Any] | None, now: datetime
) -> datetime | None:
    """The due time that was missed by more than max(15 min, half an interval); else None.

    Args:
        due_at: when the first scheduled run without a success after it was asked for.
    """
    if schedule is None or schedule.paused:
        return None
    waits = [moment for moment in (due_at, schedule.next_fire_at) if moment is not None]
    if not waits:
        return None
    missed = min(waits)
    if now <= missed + MIN_GRACE:  # most are; to read a cron rule costs a millisecond
        return None
    return missed if now > missed + _grace(schedule, missed) else None


def _grace(schedule: Schedule | Row[Any], at: datetime) -> timedelta:
    rule = schedule.cron, schedule.interval_s, schedule.timezone
    slot = clockwork.next_fire(*rule, at, at)
    return max(MIN_GRACE, (clockwork.next_fire(*rule, slot, slot) - slot) / 2)


def _health(row: RowMapping, schedule: Row[Any] | None, now: datetime) -> PipelineHealth:
    outcomes: list[dict[str, Any]] = row["outcomes"] or []
    failing = row["verdict"] == RunStatus.FAILED
    error = row["error"] if failing else None
    return PipelineHealth(
        outcomes=tuple(_outcome(outcome) for outcome in outcomes),
        first_run_at=row["first_run_at"],
        fresh_at=row["fresh_at"],
        usual_s=row["usual_s"],
        next_fire_at=schedule.next_fire_at if schedule and not schedule.paused else None,
        late_since=late_since(row["due_at"], schedule, now),
        failing=failing,
        failing_since=row["failing_since"],
        error=ErrorInfo.model_validate(error) if error else None,
        running=any(outcome["status"] == RunStatus.RUNNING for outcome in outcomes),
    )


def _outcome(row: dict[str, Any]) -> Outcome:
    return Outcome.model_validate(row)
