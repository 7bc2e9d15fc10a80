"""How attempts ended by our rows, for whoever makes Dagster's record of them say the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, func, or_, select, update

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, RunAttempt
from etlfabric_dagster.schemas.runs import AttemptStatus, RunStatus, Trigger

LOST_WITHIN_S = 24 * 3600  # a worker may thaw, and its last word arrive, that long after

OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
FINAL = tuple(status for status in RunStatus if status.is_final)
Ends = dict[UUID, RunStatus]
"""Dagster run id → what Dagster has to say of it."""

# a lost attempt failed, unless it was the one that a cancel met
_ATTEMPT_END = case(
    (
        RunAttempt.status == AttemptStatus.LOST,
        case(
            (
                and_(Run.status == RunStatus.CANCELED, Run.attempt == RunAttempt.number),
                RunStatus.CANCELED,
            ),
            else_=RunStatus.FAILED,
        ),
    ),
    else_=RunAttempt.status,
)


async def ended_within(seconds: float) -> Ends:
    """Attempts that ended lately, lost ones of a whole day, and runs that ended before any."""
    ended = or_(
        RunAttempt.finished_at > _ago(seconds),
        and_(RunAttempt.status == AttemptStatus.LOST, RunAttempt.finished_at > _ago(LOST_WITHIN_S)),
    )
    unclaimed = _unclaimed().where(Run.finished_at > _ago(seconds))
    return await _ends(_attempts().where(ended), unclaimed)


async def ended_of(dagster_run_ids: Collection[UUID]) -> Ends:
    """Those of them that have ended, however long ago."""
    attempts = _attempts().where(RunAttempt.dagster_run_id.in_(dagster_run_ids))
    return await _ends(attempts, _unclaimed().where(Run.id.in_(dagster_run_ids)))


async def known(dagster_run_ids: Collection[UUID]) -> set[UUID]:
    """Those of them that a row of ours stands behind."""
    attempts = select(RunAttempt.dagster_run_id).where(
        RunAttempt.dagster_run_id.in_(dagster_run_ids)
    )
    async with get_session() as session:
        found = await session.scalars(
            select(Run.id).where(Run.id.in_(dagster_run_ids)).union(attempts)
        )
        return set(found)


async def open_in_dagster() -> dict[UUID, UUID]:
    """Dagster runs that are open for us → our runs: running attempts, launches in the queue."""
    running = (
        select(RunAttempt.dagster_run_id, Run.id)
        .join(Run)
        .where(RunAttempt.status == AttemptStatus.RUNNING, Run.status == RunStatus.RUNNING)
    )
    queued = select(Run.id, Run.id).where(
        Run.status == RunStatus.QUEUED, Run.trigger == Trigger.DAGSTER, Run.attempt == 0
    )
    async with get_session() as session:
        rows = [*await session.execute(running), *await session.execute(queued)]
    return {dagster_run_id: run_id for dagster_run_id, run_id in rows}


async def cancel(run_ids: Sequence[UUID]) -> None:
    """Cancel what Dagster shows as canceled: at once in the queue, else through its worker."""
    now = func.clock_timestamp()
    asked = update(Run).where(Run.id.in_(run_ids), Run.status.in_(OPEN))
    async with get_session() as session:
        await session.execute(
            asked.where(Run.cancel_requested_at.is_(None)).values(cancel_requested_at=now)
        )
        await session.execute(
            asked.where(Run.status == RunStatus.QUEUED).values(
                status=RunStatus.CANCELED, finished_at=now
            )
        )


def _attempts() -> Select[tuple[UUID, str]]:
    ended = RunAttempt.status != AttemptStatus.RUNNING
    return select(RunAttempt.dagster_run_id, _ATTEMPT_END).join(Run).where(ended)


def _unclaimed() -> Select[tuple[UUID, str]]:
    ended = Run.status.in_(FINAL)
    return select(Run.id, Run.status).where(ended, Run.attempt == 0, Run.trigger == Trigger.DAGSTER)


async def _ends(*queries: Select[tuple[UUID, str]]) -> Ends:
    async with get_session() as session:
        rows: list[Row[tuple[UUID, str]]] = [
            row for query in queries for row in await session.execute(query)
        ]
    return {dagster_run_id: RunStatus(status) for dagster_run_id, status in rows}


def _ago(seconds: float):
    return func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
