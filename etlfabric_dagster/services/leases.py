"""The run queue: claim, heartbeat, record, verdict, reconcile. Postgres is the truth.

Every write of an attempt names its token and is dropped when the token is not the lease any more:
a frozen worker that thaws cannot change what a newer attempt has written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Row, Update, and_, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import AlertRule, Run, RunAttempt
from etlfabric_dagster.schemas.runs import (
    AttemptStatus,
    ClaimedRun,
    ErrorInfo,
    HeartbeatAnswer,
    LostAttempt,
    NodeResult,
    RunStatus,
    StreamResult,
)
from etlfabric_dagster.services import turns, usage
from etlfabric_dagster.services.runs import EXECUTE

STALE_RING_S = 5.0
CLAIM_TRIES = 3
MAX_UNHEARD = 200  # doorbells in the broker: more wake nobody, and each costs a claim
EVALUATE = "etlfabric.evaluate_alerts"
"""The task that holds a verdict against the org's alert rules."""

# A worker frozen inside a transaction holds its run's row, which nobody could take from it: end its
# session. Only when a lease has expired, and only sessions that wait idle with a lock on runs.
_END_FROZEN = text(
    """
    SELECT pg_terminate_backend(a.pid)
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE l.relation = 'public.runs'::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
      AND a.state = 'idle in transaction' AND a.pid <> pg_backend_pid()
      AND a.state_change < clock_timestamp() - make_interval(secs => :lease)
      AND EXISTS (SELECT FROM runs WHERE status = 'running' AND lease_until < clock_timestamp())
    """
)


class EndedAttempt(NamedTuple):
    """What ending an attempt tells about it."""

    dagster_run_id: UUID
    seconds: float


async def claim(hint: UUID, worker: str, slots: int = 0) -> ClaimedRun | None:
    """Take the fairest startable run and open its next attempt; None when nothing can start.

    Args:
        hint: the run that is taken when nothing else is fairer.
        worker: how the attempt is signed.
        slots: of all workers together, the last of which is kept for orgs that run nothing; 0 =
            unknown: none is kept.
    """
    for _ in range(CLAIM_TRIES):
        try:
            async with get_session() as session:
                return await _claim(session, hint, worker, slots)
        except (IntegrityError, _TooManyError):  # another worker claimed in the same moment
            continue
    return None


async def _claim(session: AsyncSession, hint: UUID, worker: str, slots: int) -> ClaimedRun | None:
    token = uuid4()
    arguments = {"hint": hint, "token": token, "lease": settings.lease_s}
    keeping = {"slots": slots, "at_work": turns.AT_WORK_S}
    row = (await session.execute(turns.CLAIM, arguments | keeping)).one_or_none()
    if row is None:
        return None
    running = await session.scalar(turns.RUNNING, {"org_id": row.org_id})
    if running > row.max_concurrent_runs:
        raise _TooManyError
    return await _open_attempt(session, row, token, worker)


class _TooManyError(Exception):
    """The org's last free slot went to another worker."""


async def heartbeat(run_id: UUID, token: UUID) -> HeartbeatAnswer:
    """Extend the lease. `alive=False`: the attempt lost it and must stop at once."""
    lease = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, settings.lease_s)
    async with get_session() as session:
        row = (
            await session.execute(
                _owned(run_id, token).values(lease_until=lease).returning(Run.cancel_requested_at)
            )
        ).one_or_none()
    if row is None:
        return HeartbeatAnswer(alive=False)
    return HeartbeatAnswer(alive=True, cancel_requested=row[0] is not None)


async def record(
    run_id: UUID,
    token: UUID,
    streams: Mapping[str, StreamResult],
    nodes: Mapping[str, NodeResult] | None = None,
) -> bool:
    """Write how streams and dbt nodes stand. Returns False when the lease is lost: nothing was
    written.
    """
    found = {"streams": (Run.streams, streams), "models": (Run.models, nodes or {})}
    values = {
        name: column.concat(literal(_dumped(results), JSONB))
        for name, (column, results) in found.items()
        if results
    }
    async with get_session() as session:
        return await _write(session, run_id, token, values)


async def finish(
    run_id: UUID,
    token: UUID,
    status: RunStatus,
    error: ErrorInfo | None,
    streams: Mapping[str, StreamResult] = MappingProxyType({}),
    nodes: Mapping[str, NodeResult] = MappingProxyType({}),
) -> RunStatus | None:
    """The verdict, once, with what was not recorded before. Returns what was written: `canceled`,
    whatever the attempt came to, once somebody asked for that. None when the lease is lost: a
    newer attempt decides.
    """
    async with get_session() as session:
        run = await session.scalar(
            select(Run)
            .where(Run.id == run_id, Run.token == token, Run.status == "running")
            .with_for_update()
        )
        if run is None:
            return None
        if run.cancel_requested_at is not None:
            status, error = RunStatus.CANCELED, None
        await _have_evaluated(session, run)
        run.streams = run.streams | _dumped(streams)
        run.models = run.models | _dumped(nodes)
        loaded = [StreamResult.model_validate(one) for one in run.streams.values()]
        run.status, run.finished_at = status, func.clock_timestamp()
        run.token = run.lease_until = None
        run.error = error.model_dump(mode="json") if error else None
        run.rows_loaded = sum(one.rows for one in loaded)
        run.bytes_loaded = sum(one.bytes for one in loaded)
        ended = await _end_attempt(session, run_id, run.attempt, AttemptStatus(status.value), error)
        await usage.record_attempt(session, run, ended.seconds)
        await _ring_next(session, run.org_id)
    return status


async def expire_leases() -> list[LostAttempt]:
    """End attempts whose worker stopped answering: requeue, or fail after the last one.

    Any number of processes may call this at once. A canceled run ends canceled.
    """
    async with get_session() as session:
        await session.execute(_END_FROZEN, {"lease": settings.lease_s})
        rows = await session.scalars(
            select(Run)
            .where(Run.status == RunStatus.RUNNING, Run.lease_until < func.clock_timestamp())
            .with_for_update(skip_locked=True)
        )
        return [await _lose(session, run) for run in rows]


async def release(workers: Sequence[str]) -> list[LostAttempt]:
    """End the attempts of workers that were told to stop: others go on at once.

    A stop costs a run none of its attempts. A canceled run ends canceled.
    """
    query = (
        select(Run)
        .join(RunAttempt, and_(RunAttempt.run_id == Run.id, RunAttempt.number == Run.attempt))
        .where(Run.status == RunStatus.RUNNING, RunAttempt.worker.in_(workers))
        .with_for_update(of=Run)
    )
    async with get_session() as session:
        rows = list(await session.scalars(query))
        for run in rows:
            run.max_attempts += 1
        return [await _lose(session, run, "was told to stop") for run in rows]


async def ring_stale() -> int:
    """Ring again for runs that could start while their doorbell may be lost, the oldest first."""
    room = MAX_UNHEARD - await asyncio.to_thread(queue.unheard, queue.RUNS)
    if room <= 0:
        return 0
    async with get_session() as session:
        stale = await session.execute(turns.RING_STALE, {"stale": STALE_RING_S, "room": room})
        ids = list(stale.scalars())
        for run_id in ids:
            queue.ring_after_commit(session, EXECUTE, str(run_id))
    return len(ids)


async def _open_attempt(
    session: AsyncSession, row: Row[Any], token: UUID, worker: str
) -> ClaimedRun:
    dagster_run_id = row.run_id if row.number == 1 else uuid4()
    session.add(
        RunAttempt(
            run_id=row.run_id,
            number=row.number,
            dagster_run_id=dagster_run_id,
            status=AttemptStatus.RUNNING,
            worker=worker,
        )
    )
    facts = {name: value for name, value in row._mapping.items() if name in ClaimedRun.model_fields}
    return ClaimedRun.model_validate(
        {
            **facts,
            "token": token,
            "dagster_run_id": dagster_run_id,
            "first_dagster_run_id": row.run_id,
            "lease_s": settings.lease_s,
        }
    )


def _owned(run_id: UUID, token: UUID) -> Update:
    return update(Run).where(Run.id == run_id, Run.token == token, Run.status == "running")


def _dumped(results: Mapping[str, StreamResult | NodeResult]) -> dict[str, Any]:
    return {name: result.model_dump(mode="json") for name, result in results.items()}


async def _write(
    session: AsyncSession, run_id: UUID, token: UUID, values: Mapping[str, Any]
) -> bool:
    written = await session.execute(_owned(run_id, token).values(**values).returning(Run.id))
    return written.scalar_one_or_none() is not None


async def _end_attempt(
    session: AsyncSession,
    run_id: UUID,
    number: int,
    status: AttemptStatus,
    error: ErrorInfo | None,
) -> EndedAttempt:
    seconds = func.extract("epoch", func.clock_timestamp() - RunAttempt.started_at)
    ended = await session.execute(
        update(RunAttempt)
        .where(RunAttempt.run_id == run_id, RunAttempt.number == number)
        .values(
            status=status,
            finished_at=func.clock_timestamp(),
            error=error.model_dump(mode="json") if error else None,
        )
        .returning(RunAttempt.dagster_run_id, seconds)
    )
    dagster_run_id, ran_s = ended.one()
    return EndedAttempt(dagster_run_id, float(ran_s))


async def _lose(session: AsyncSession, run: Run, why: str = "stopped answering") -> LostAttempt:
    error = ErrorInfo(
        message=f"The worker of attempt {run.attempt} {why}.",
        remedy="Nothing to do: nothing is lost or loaded twice.",
        code="worker_lost",
    )
    ended = await _end_attempt(session, run.id, run.attempt, AttemptStatus.LOST, error)
    canceled = run.cancel_requested_at is not None
    requeued = not canceled and run.attempt < run.max_attempts
    run.token = run.lease_until = None
    if requeued:
        run.status, run.rung_at = RunStatus.QUEUED, func.clock_timestamp()
        queue.ring_after_commit(session, EXECUTE, str(run.id))
    else:
        run.status = RunStatus.CANCELED if canceled else RunStatus.FAILED
        run.finished_at = func.clock_timestamp()
        run.error = None if canceled else _all_lost(run).model_dump(mode="json")
        queue.ring_after_commit(session, EVALUATE, str(run.id), queue=queue.INTERACTIVE)
    await usage.record_attempt(session, run, ended.seconds)
    return LostAttempt(
        run_id=run.id,
        org_id=run.org_id,
        pipeline_id=run.pipeline_id,
        dagster_run_id=ended.dagster_run_id,
        number=run.attempt,
        requeued=requeued,
    )


def _all_lost(run: Run) -> ErrorInfo:
    return ErrorInfo(
        message=f"The workers of all {run.attempt} attempts stopped answering.",
        remedy="Ask an operator to look at the workers' logs and memory, then retry.",
        code="worker_lost",
    )


async def _have_evaluated(session: AsyncSession, run: Run) -> None:
    """Ring for a look at the verdict; an org without an alert rule needs none."""
    rules = select(AlertRule.id).where(AlertRule.org_id == run.org_id).limit(1)
    if await session.scalar(rules) is None:
        run.alerted_at = func.clock_timestamp()
    else:
        queue.ring_after_commit(session, EVALUATE, str(run.id), queue=queue.INTERACTIVE)


async def _ring_next(session: AsyncSession, org_id: UUID) -> None:
    """A slot is free: ring for one run that may have been waiting for it."""
    waiting: Sequence[UUID] = (
        await session.scalars(
            select(Run.id)
            .where(Run.status == RunStatus.QUEUED)
            .order_by((Run.org_id == org_id).desc(), Run.created_at)
            .limit(1)
        )
    ).all()
    for run_id in waiting:
        queue.ring_after_commit(session, EXECUTE, str(run_id))
