"""The time line tells what schedules did and will do around now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etlfabric_dagster import clock
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import pipelines, schedules, timeline
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import add_pipeline, end_run

DAY = timedelta(hours=24)


async def around(slug: str, span: timedelta = DAY, **options):
    async with org_scope(OPERATOR, slug) as scope:
        return await timeline.around_now(scope, span, **options)


async def scheduled(slug: str, pipeline: str, **rule) -> None:
    await add_pipeline(slug, pipeline)
    async with org_scope(OPERATOR, slug) as scope:
        await schedules.set_schedule(scope, pipeline, **rule)


async def test_half_of_the_span_is_past_and_half_ahead(org):
    await scheduled(org.slug, "shop", cron="0 * * * *")
    await end_run(org.slug, RunStatus.FAILED, ago=timedelta(hours=2))
    await end_run(org.slug, RunStatus.SUCCEEDED, ago=timedelta(hours=1))
    await end_run(org.slug, RunStatus.SUCCEEDED, ago=timedelta(hours=13))

    (row,) = await around(org.slug)
    assert [event.status for event in row.past] == ["failed", "succeeded"]
    assert row.past[0].seconds == pytest.approx(2, abs=0.1)
    assert len(row.ahead) == 12
    assert all(at.minute == 0 for at in row.ahead)
    assert row.ahead[0] == row.next_fire_at
    assert row.ahead[-1] <= clock.now() + DAY / 2
    assert len((await around(org.slug, timedelta(hours=6)))[0].ahead) == 3


async def test_interval_steps_on_from_its_next_fire(org):
    await scheduled(org.slug, "shop", interval_s=3600)

    (row,) = await around(org.slug)
    steps = {later - sooner for sooner, later in zip(row.ahead, row.ahead[1:], strict=False)}
    assert steps == {timedelta(hours=1)}


async def test_paused_schedule_has_a_past_and_nothing_ahead(org):
    await scheduled(org.slug, "shop", cron="0 * * * *")
    await end_run(org.slug, RunStatus.SUCCEEDED, ago=timedelta(hours=1))
    async with org_scope(OPERATOR, org.slug) as scope:
        await pipelines.set_paused(scope, "shop", paused=True)

    (row,) = await around(org.slug)
    assert (row.paused, row.ahead, row.next_fire_at, len(row.past)) == (True, (), None, 1)


async def test_schedules_are_paged_by_pipeline_and_others_orgs_are_left_out(org):
    for name in ("crm", "shop", "web"):
        await scheduled(org.slug, name, cron="0 6 * * *")

    first = await around(org.slug, limit=2)
    rest = await around(org.slug, after=first[-1].pipeline, limit=2)
    assert [row.pipeline for row in (*first, *rest)] == ["crm", "shop", "web"]
