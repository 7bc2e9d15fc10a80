"""Runs as people ask for them: start, list, show, cancel, retry."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.models import Pipeline, Run, RunAttempt, Stream
from etlfabric_dagster.queue import RUNS, ring_after_commit
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.runs import AttemptOut, RunOut, RunSelection, RunStatus, Trigger
from etlfabric_dagster.services import audit, quotas
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

EXECUTE = "etlfabric.execute_run"
PAGE = 50
RING_AT_ONCE = 50


async def start(
    scope: OrgScope,
    pipeline: str,
    *,
    selection: RunSelection | None = None,
    trigger: Trigger = Trigger.MANUAL,
    fire_key: str | None = None,
    run_id: UUID | None = None,
    parent: UUID | None = None,
) -> RunOut:
    """Queue a run and ring a worker after the commit.

    Idempotent by `fire_key`: a second call with the same key returns the first run. `run_id` is
    given by a
    launch from Dagster, whose run exists already.

    Raises:
        NotFoundError: no such pipeline.
        OrgSuspendedError: the org does not run.
        QuotaError: the org has used up what it may use.
        InvalidInputError: the selection names a stream the pipeline does not load.
    """
    scope.require("runs.retry" if trigger is Trigger.RETRY else "runs.start")
    await quotas.require_room(scope.session, scope.org_id, scope.slug)
    row = await _pipeline(scope, pipeline)
    selection = selection or RunSelection()
    await _check_selection(scope, row, selection)
    values = {
        "id": run_id or uuid4(),
        "org_id": scope.org_id,
        "pipeline_id": row.id,
        "pipeline_name": row.name,
        "trigger": trigger,
        "fire_key": fire_key,
        "selection": selection.model_dump(mode="json"),
        "max_attempts": settings.max_attempts,
        "parent_run_id": parent,
        "created_by": scope.actor.label,
        "streams": {},
        "models": {},
    }
    new = fire_key is None and run_id is None
    run = await insert_run(scope.session, scope.slug, values, new=new)
    if run.id == values["id"]:  # not one that was there already
        facts = {"pipeline": row.name, "selection": values["selection"], "parent": parent}
        action = "runs.retry" if trigger is Trigger.RETRY else "runs.start"
        await audit.record(scope, action, f"runs/{run.id}", after=facts)
    return run


async def insert_run(
    session: AsyncSession, slug: str, values: dict[str, Any], *, new: bool
) -> RunOut:
    """Insert a queued run unless its fire key or id is known; ring only for one that was not.

    Args:
        new: neither can be known. That statement is compiled once (see `upserts.put`).
    """
    statement = plain_insert(Run).values(**values).returning(Run)
    if not new:
        statement = insert(Run).values(**values).on_conflict_do_nothing().returning(Run)
    run = await session.scalar(statement)
    if run is not None:
        ring_after_commit(session, EXECUTE, str(run.id), queue=RUNS)
    else:
        known = (Run.id == values["id"]) | (Run.fire_key == values.get("fire_key"))
        run = (await session.scalars(select(Run).where(known))).one()
    return to_out(run, slug)


async def insert_runs(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> int:
    """Insert queued runs in one statement, leaving out known fire keys; returns how many were new.

    Rings for some of them: a worker that ends a run rings for the next, and more doorbells than
    workers wake nobody.
    """
    if not rows:
        return 0
    statement = insert(Run).on_conflict_do_nothing().returning(Run.id)
    inserted = list(await session.scalars(statement, list(rows)))
    for run_id in inserted[:RING_AT_ONCE]:
        ring_after_commit(session, EXECUTE, str(run_id), queue=RUNS)
    return len(inserted)


async def get(scope: OrgScope, run_id: UUID) -> RunOut:
    """One run with its attempts. Raises NotFoundError, also for another org's run."""
    run = await _run(scope, run_id)
    attempts = await scope.session.scalars(
        select(RunAttempt).where(RunAttempt.run_id == run.id).order_by(RunAttempt.number)
    )
    return to_out(run, scope.slug, tuple(attempts))


async def list_runs(
    scope: OrgScope,
    *,
    pipeline: str | None = None,
    status: RunStatus | None = None,
    trigger: Trigger | None = None,
    since: datetime | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[RunOut]:
    """Runs, newest first, one page; `since` leaves out those queued before."""
    query = select(Run).where(Run.org_id == scope.org_id)
    if pipeline:
        query = query.where(Run.pipeline_name == pipeline)
    if status:
        query = query.where(Run.status == status)
    if trigger:
        query = query.where(Run.trigger == trigger)
    if since:
        query = query.where(Run.created_at >= since)
    query = _after(query, cursor).order_by(Run.created_at.desc(), Run.id.desc())
    rows = list(await scope.session.scalars(query.limit(limit + 1)))
    more = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return Page(items=tuple(to_out(row, scope.slug) for row in rows[:limit]), next=more)


async def neighbors(scope: OrgScope, run_id: UUID) -> tuple[UUID | None, UUID | None]:
    """The runs of the same pipeline that were queued just before and just after."""
    run = await _run(scope, run_id)
    place, at = tuple_(Run.created_at, Run.id), (run.created_at, run.id)
    theirs = select(Run.id).where(Run.org_id == scope.org_id, Run.pipeline_id == run.pipeline_id)
    before = theirs.where(place < at).order_by(Run.created_at.desc(), Run.id.desc()).limit(1)
    after = theirs.where(place > at).order_by(Run.created_at, Run.id).limit(1)
    return await scope.session.scalar(before), await scope.session.scalar(after)


async def request_cancel(scope: OrgScope, run_id: UUID) -> RunOut:
    """Cancel in any state: a queued run ends now, a running one as soon as its worker notices.

    Raises ConflictError when the run has already ended otherwise.
    """
    scope.require("runs.cancel")
    run = await _run(scope, run_id, lock=True)
    if run.status == RunStatus.CANCELED:
        return to_out(run, scope.slug)
    if RunStatus(run.status).is_final:
        raise ConflictError(
            f"Run {run_id} has already {run.status}.",
            "Nothing to do: only queued or running runs can be canceled.",
        )
    run.cancel_requested_at = run.cancel_requested_at or clock.now()
    if run.status == RunStatus.QUEUED:
        run.status, run.finished_at = RunStatus.CANCELED, clock.now()
    await scope.session.flush()
    facts = {"pipeline": run.pipeline_name}
    await audit.record(scope, "runs.cancel", f"runs/{run_id}", after=facts)
    return to_out(run, scope.slug)


async def retry(scope: OrgScope, run_id: UUID) -> RunOut:
    """A new run with the same selection. Raises ConflictError while the run has not ended."""
    scope.require("runs.retry")
    run = await _run(scope, run_id)
    if not RunStatus(run.status).is_final:
        raise ConflictError(
            f"Run {run_id} is still {run.status}.", "Wait for its end, or cancel it."
        )
    return await start(
        scope,
        run.pipeline_name,
        selection=RunSelection.model_validate(run.selection),
        trigger=Trigger.RETRY,
        parent=run.id,
    )


async def status_of(run_id: UUID) -> RunStatus | None:
    """For waiting: one cheap look."""
    async with get_session() as session:
        status = await session.scalar(select(Run.status).where(Run.id == run_id))
    return RunStatus(status) if status else None


async def dagster_run_ids(actor: Actor, slug: str) -> list[UUID]:
    """The Dagster runs of all attempts of an org's runs."""
    async with org_scope(actor, slug) as scope:
        query = select(RunAttempt.dagster_run_id).join(Run).where(Run.org_id == scope.org_id)
        return list(await scope.session.scalars(query))


def to_out(run: Run, slug: str, attempts: tuple[RunAttempt, ...] = ()) -> RunOut:
    """The row as a value, with the derived times."""
    return RunOut.model_validate(
        {
            **{name: getattr(run, name) for name in _FIELDS},
            "org": slug,
            "pipeline": run.pipeline_name,
            "queued_s": _seconds(run.created_at, run.started_at or run.finished_at),
            "duration_s": _seconds(run.started_at, run.finished_at),
            "attempts": tuple(
                AttemptOut.model_validate(attempt, from_attributes=True, extra="ignore")
                for attempt in attempts
            ),
        }
    )


_FIELDS = (
    *("id", "status", "trigger", "attempt", "max_attempts", "rows_loaded", "bytes_loaded"),
    *("created_at", "started_at", "finished_at", "selection", "streams", "models", "error"),
)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


def _cursor(run: Run) -> str:
    return base64.urlsafe_b64encode(f"{run.created_at.isoformat()}|{run.id}".encode()).decode()


def _after(query: Select[tuple[Run]], cursor: str | None) -> Select[tuple[Run]]:
    if cursor is None:
        return query
    try:
        created_at, run_id = base64.urlsafe_b64decode(cursor).decode().split("|")
        key = datetime.fromisoformat(created_at), UUID(run_id)
    except ValueError as exc:
        raise InvalidInputError(
            "The page cursor cannot be read.", "Start again from the first page.", field="cursor"
        ) from exc
    return query.where(tuple_(Run.created_at, Run.id) < key)


async def _run(scope: OrgScope, run_id: UUID, *, lock: bool = False) -> Run:
    query = select(Run).where(Run.id == run_id, Run.org_id == scope.org_id)
    run = await scope.session.scalar(query.with_for_update() if lock else query)
    if run is None:
        raise NotFoundError(
            f"There is no run {run_id} in '{scope.slug}'.",
            f"List them: etlfabric runs list {scope.slug}",
        )
    return run


async def _pipeline(scope: OrgScope, name: str) -> Pipeline:
    query = select(Pipeline).where(Pipeline.name == name)
    # its name stays what it is until the run stands
    row = await scope.session.scalar(query.with_for_update(read=True, key_share=True))
    if row is None:
        raise NotFoundError(
            f"There is no pipeline '{name}' in '{scope.slug}'.",
            f"List them: etlfabric pipelines list {scope.slug}",
        )
    return row


async def _check_selection(scope: OrgScope, pipeline: Pipeline, selection: RunSelection) -> None:
    named = {*(selection.streams or ()), *selection.full_refresh}
    if not named:
        return
    query = select(Stream.name).where(Stream.pipeline_id == pipeline.id, Stream.selected)
    unknown = named - set(await scope.session.scalars(query))
    if unknown:
        raise InvalidInputError(
            f"Pipeline '{pipeline.name}' does not load {', '.join(sorted(unknown))}.",
            f"See its streams: etlfabric pipelines show {scope.slug} {pipeline.name}",
            field="streams",
        )


async def count_open(org_id: UUID) -> int:
    """Queued and running runs of an org."""
    async with get_session() as session:
        query = select(func.count()).where(
            Run.org_id == org_id, Run.status.in_((RunStatus.QUEUED, RunStatus.RUNNING))
        )
        return await session.scalar(query) or 0
