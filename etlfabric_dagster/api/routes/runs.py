"""Runs: start, follow, cancel, retry."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from etlfabric_dagster.api import live_logs
from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.runs import RunOut, RunSelection, RunStatus, Trigger
from etlfabric_dagster.services import run_logs, runs
from etlfabric_dagster.services.scope import org_scope

router = org_router("runs")

Attempt = Annotated[int | None, Query(ge=1, le=1000, description="Only this attempt.")]
After = Annotated[str, Query(max_length=40, description="Position: `next` of the page before.")]
Lines = Annotated[int, Query(ge=1, le=5000, description="Lines per page.")]
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, one after the other; `data` is JSON.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    }
}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


class RunIn(Value):
    """What to run: a pipeline, or the part of it that `selection` names."""

    pipeline: str
    selection: RunSelection = RunSelection()


@router.get("")
async def list_runs(
    scope: Scoped,
    page: PageQuery,
    pipeline: str | None = None,
    status: RunStatus | None = None,
    trigger: Trigger | None = None,
    since: AwareDatetime | None = None,
) -> Page[RunOut]:
    """Runs, newest first; `since` leaves out those queued before."""
    return await runs.list_runs(
        scope,
        pipeline=pipeline,
        status=status,
        trigger=trigger,
        since=since,
        cursor=page.cursor,
        limit=page.limit,
    )


@router.post("", status_code=201)
async def start_run(scope: Scoped, given: RunIn) -> RunOut:
    """Queue a run; a worker takes it as soon as the pipeline and the org's share allow."""
    return await runs.start(scope, given.pipeline, selection=given.selection, trigger=Trigger.API)


@router.get("/{run}")
async def get_run(scope: Scoped, run: UUID) -> RunOut:
    """One run with its streams, dbt models and attempts."""
    return await runs.get(scope, run)


@router.post("/{run}/cancel")
async def cancel_run(scope: Scoped, run: UUID) -> RunOut:
    """Cancel it: a queued run ends now, a running one as soon as its worker notices."""
    return await runs.request_cancel(scope, run)


@router.post("/{run}/retry", status_code=201)
async def retry_run(scope: Scoped, run: UUID) -> RunOut:
    """The same again, as a new run."""
    return await runs.retry(scope, run)


@router.get("/{run}/logs")
async def read_log(
    scope: Scoped, run: UUID, after: After = "", limit: Lines = 1000, attempt: Attempt = None
) -> run_logs.LogPage:
    """Its log, oldest line first. `next` stays set until the run has ended and all is read."""
    return await run_logs.page(scope, run, attempt=attempt, after=after, limit=limit)


@router.get("/{run}/logs/text", response_class=StreamingResponse, responses=TEXT)
async def download_log(scope: Scoped, run: UUID, attempt: Attempt = None) -> StreamingResponse:
    """The whole log as a text file."""
    lines = await run_logs.text(scope, run, attempt)
    return StreamingResponse(
        lines,
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="run-{str(run)[:8]}.log"'},
    )


@router.get("/{run}/logs/live", response_class=StreamingResponse, responses=EVENTS)
async def follow_log(
    actor: CurrentActor,
    slug: Slug,
    run: UUID,
    after: After = "",
    attempt: Attempt = None,
    last_event_id: Annotated[str, Header(max_length=40)] = "",
) -> StreamingResponse:
    """Its log as server-sent events until it ends: `line`, then `end` with the run's status.

    Reconnect with `Last-Event-ID` to go on behind the last line; browsers do.
    """
    position = last_event_id or after
    async with org_scope(actor, slug) as scope:  # refused before the stream begins
        await run_logs.page(scope, run, attempt=attempt, after=position, limit=1)
    events = live_logs.follow(actor, slug, run, position, attempt, timedelta(minutes=10))
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )
