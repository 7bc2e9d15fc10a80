"""Schedules fire once, in time, for the orgs that run."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import Pipeline, Run, Schedule
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import clockwork, orgs, schedules
from etlfabric_dagster.services.scope import OPERATOR, org_scope


@pytest.fixture
async def pipeline(org: OrgOut) -> str:
    """A transform-only pipeline of `org`."""
    async with org_scope(OPERATOR, org.slug) as scope:
        row = Pipeline(name="report", table_prefix="", schema_policy="evolve", models="+report")
        scope.session.add(row)
    return "report"


async def set_every_minute(org: OrgOut, pipeline: str) -> None:
    async with org_scope(OPERATOR, org.slug) as scope:
        await schedules.set_schedule(scope, pipeline, cron="* * * * *")


async def make_due(org: OrgOut, ago: timedelta = timedelta(seconds=1)) -> datetime:
    """Move the schedule's next time into the past."""
    at = clock.now() - ago
    async with get_session() as session:
        statement = update(Schedule).where(Schedule.org_id == org.id).values(next_fire_at=at)
        await session.execute(statement)
    return at


async def runs_of(org: OrgOut) -> list[Run]:
    async with get_session() as session:
        return list(await session.scalars(select(Run).where(Run.org_id == org.id)))


async def test_a_due_schedule_queues_one_run_and_moves_on(org: OrgOut, pipeline: str) -> None:
    await set_every_minute(org, pipeline)
    await make_due(org)
    await schedules.fire_due(clock.now())
    await schedules.fire_due(clock.now())
    (run,) = await runs_of(org)
    assert (run.pipeline_name, run.trigger, run.status) == (pipeline, "schedule", "queued")
    async with org_scope(OPERATOR, org.slug) as scope:
        (schedule,) = (await schedules.list_schedules(scope)).items
    assert schedule.next_fire_at
    assert schedule.next_fire_at > clock.now()


async def test_many_pollers_fire_a_due_schedule_once(org: OrgOut, pipeline: str) -> None:
    await set_every_minute(org, pipeline)
    await make_due(org)
    await asyncio.gather(*(schedules.fire_due(clock.now()) for _ in range(5)))
    assert len(await runs_of(org)) == 1


async def test_a_poller_that_crashed_after_firing_does_not_fire_again(
    org: OrgOut, pipeline: str
) -> None:
    await set_every_minute(org, pipeline)
    at = await make_due(org)
    await schedules.fire_due(clock.now())
    async with get_session() as session:  # as if the move had been lost
        statement = update(Schedule).where(Schedule.org_id == org.id).values(next_fire_at=at)
        await session.execute(statement)
    await schedules.fire_due(clock.now())
    assert len(await runs_of(org)) == 1


async def test_downtime_becomes_one_run(org: OrgOut, pipeline: str) -> None:
    await set_every_minute(org, pipeline)
    await make_due(org, ago=timedelta(hours=5))
    while await schedules.fire_due(clock.now()):
        pass
    assert len(await runs_of(org)) == 1


async def test_a_jitter_delays_every_time_by_the_same(org: OrgOut, pipeline: str) -> None:
    async with org_scope(OPERATOR, org.slug) as scope:
        made = await schedules.set_schedule(scope, pipeline, cron="0 * * * *", jitter_s=600)
    delay = clockwork.delay(made.id, 600)
    assert made.jitter_s == 600
    assert made.next_fire_at
    assert (made.next_fire_at - delay).minute == 0
    due = await make_due(org)
    await schedules.fire_due(clock.now())
    async with org_scope(OPERATOR, org.slug) as scope:
        moved = (await schedules.get(scope, pipeline)).next_fire_at
    assert moved
    assert due < moved
    assert ((moved - delay).minute, (moved - delay).second) == (0, 0)


async def test_a_paused_schedule_waits_and_does_not_catch_up(org: OrgOut, pipeline: str) -> None:
    await set_every_minute(org, pipeline)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await schedules.pause(scope, pipeline)).paused
    await make_due(org)
    await schedules.fire_due(clock.now())
    async with org_scope(OPERATOR, org.slug) as scope:
        resumed = await schedules.resume(scope, pipeline)
    assert resumed.next_fire_at
    assert resumed.next_fire_at > clock.now()
    await schedules.fire_due(clock.now())
    assert await runs_of(org) == []


async def test_a_schedule_without_a_next_time_gets_one_and_does_not_fire(
    org: OrgOut, pipeline: str
) -> None:
    await set_every_minute(org, pipeline)
    async with get_session() as session:
        statement = update(Schedule).where(Schedule.org_id == org.id).values(next_fire_at=None)
        await session.execute(statement)
    await schedules.fire_due(clock.now())
    assert await runs_of(org) == []
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await schedules.get(scope, pipeline)).next_fire_at


async def test_a_suspended_org_does_not_fire_and_does_not_catch_up(
    org: OrgOut, pipeline: str
) -> None:
    await set_every_minute(org, pipeline)
    await orgs.suspend(OPERATOR, org.slug)
    await make_due(org)
    await schedules.fire_due(clock.now())
    await orgs.resume(OPERATOR, org.slug)
    await schedules.fire_due(clock.now())
    assert await runs_of(org) == []


async def test_setting_again_replaces_and_removing_ends_it(org: OrgOut, pipeline: str) -> None:
    await set_every_minute(org, pipeline)
    async with org_scope(OPERATOR, org.slug) as scope:
        await schedules.set_schedule(scope, pipeline, interval_s=600, timezone="Europe/Berlin")
        (only,) = (await schedules.list_schedules(scope)).items
        assert (only.cron, only.interval_s, only.timezone) == (None, 600, "Europe/Berlin")
        await schedules.remove(scope, pipeline)
        assert (await schedules.list_schedules(scope)).items == ()
        with pytest.raises(NotFoundError, match="has no schedule"):
            await schedules.remove(scope, pipeline)


async def test_another_orgs_schedule_is_out_of_reach(
    org: OrgOut, pipeline: str, make_slug: object
) -> None:
    await set_every_minute(org, pipeline)
    other = await orgs.create(OPERATOR, make_slug(), "Other")  # type: ignore[operator]
    async with org_scope(OPERATOR, other.slug) as scope:
        assert (await schedules.list_schedules(scope)).items == ()
        with pytest.raises(NotFoundError):
            await schedules.remove(scope, pipeline)
