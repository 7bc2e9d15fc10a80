"""Schedules: one per pipeline, named by it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query

from etlfabric_dagster.api.deps import PageQuery, Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.pipelines import ScheduleOut
from etlfabric_dagster.services import schedules

router = org_router("schedules")

Count = Annotated[int, Query(ge=1, le=100, description="How many.")]


class ScheduleIn(Value):
    """Five cron fields or an interval, in an IANA time zone."""

    cron: str | None = None
    interval_s: int | None = None
    timezone: str = "UTC"
    jitter_s: int = 0


class NextFires(Value):
    """Moments in UTC, soonest first; empty while it is paused."""

    pipeline: str
    fires: tuple[datetime, ...]


@router.get("")
async def list_schedules(scope: Scoped, page: PageQuery) -> Page[ScheduleOut]:
    """Schedules by pipeline."""
    return await schedules.list_schedules(scope, page.cursor, page.limit)


@router.get("/{pipeline}")
async def get_schedule(scope: Scoped, pipeline: str) -> ScheduleOut:
    """A pipeline's schedule."""
    return await schedules.get(scope, pipeline)


@router.put("/{pipeline}")
async def set_schedule(scope: Scoped, pipeline: str, given: ScheduleIn) -> ScheduleOut:
    """Set when a pipeline runs, replacing what was set before."""
    return await schedules.set_schedule(scope, pipeline, **given.model_dump())


@router.delete("/{pipeline}", status_code=204)
async def remove_schedule(scope: Scoped, pipeline: str) -> None:
    """Remove it; runs can still be started by hand."""
    await schedules.remove(scope, pipeline)


@router.post("/{pipeline}/pause")
async def pause_schedule(scope: Scoped, pipeline: str) -> ScheduleOut:
    """Stop firing."""
    return await schedules.pause(scope, pipeline)


@router.post("/{pipeline}/resume")
async def resume_schedule(scope: Scoped, pipeline: str) -> ScheduleOut:
    """Fire again from now on, without catching up."""
    return await schedules.resume(scope, pipeline)


@router.get("/{pipeline}/next")
async def next_fires(scope: Scoped, pipeline: str, count: Count = 5) -> NextFires:
    """When it fires next."""
    return NextFires(pipeline=pipeline, fires=await schedules.next_fires(scope, pipeline, count))
