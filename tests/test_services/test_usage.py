"""Usage sums to the total, counts an attempt once and outlives its runs; quotas refuse runs."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import InvalidInputError, PermissionDeniedError, QuotaError
from etlfabric_dagster.models import Run, Schedule, UsageDay
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import leases, metrics, quotas, runs, schedules, usage
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope
from tests.test_services.ended_runs import add_pipeline, empty_queue, end_run

FAILED, SUCCEEDED = RunStatus.FAILED, RunStatus.SUCCEEDED


async def report(slug: str, **options):
    async with org_scope(OPERATOR, slug) as scope:
        return await usage.report(scope, **options)


async def test_days_and_pipelines_sum_to_the_total_of_the_runs(org):
    await end_run(org.slug, SUCCEEDED, rows=100, size=5000)
    await end_run(org.slug, SUCCEEDED, rows=20, size=700)
    await end_run(org.slug, FAILED, pipeline="crm", rows=3, size=9)
    found = await report(org.slug)
    async with get_session() as session:
        query = select(func.sum(Run.rows_loaded), func.sum(Run.bytes_loaded), func.count())
        rows, size, count = (await session.execute(query.where(Run.org_id == org.id))).one()
    assert (found.total.rows, found.total.bytes, found.total.runs) == (rows, size, count)
    assert {item.pipeline: item.rows for item in found.items} == {"shop": 120, "crm": 3}
    assert found.total.failed_runs == 1
    assert found.total.run_s == pytest.approx(sum(item.run_s for item in found.items))


async def test_lost_attempt_counts_its_seconds_and_no_run(org):
    await add_pipeline(org.slug)
    await empty_queue()
    async with org_scope(OPERATOR, org.slug) as scope:
        run_id = (await runs.start(scope, "shop")).id
    claimed = await leases.claim(run_id, "w1")
    assert claimed is not None
    async with get_session() as session:
        past = text("now() - interval '1s'")
        await session.execute(update(Run).where(Run.id == run_id).values(lease_until=past))
        earlier = text(
            "UPDATE run_attempts SET started_at = now() - interval '60s' WHERE run_id=:i"
        )
        await session.execute(earlier, {"i": run_id})
    await leases.expire_leases()
    (item,) = (await report(org.slug)).items
    assert (item.runs, item.rows) == (0, 0)
    assert 59 < item.run_s < 90
    again = await leases.claim(run_id, "w2")
    assert again is not None
    assert not await leases.finish(run_id, claimed.token, SUCCEEDED, None)  # the late one
    assert await leases.finish(run_id, again.token, SUCCEEDED, None)
    assert not await leases.finish(run_id, again.token, SUCCEEDED, None)
    (item,) = (await report(org.slug)).items
    assert item.runs == 1


async def test_usage_outlives_its_runs(org):
    await end_run(org.slug, SUCCEEDED, rows=42)
    async with get_session() as session:
        await session.execute(delete(Run).where(Run.org_id == org.id))
    assert (await report(org.slug)).total.rows == 42


async def test_span_bounds_what_is_reported(org):
    await end_run(org.slug, SUCCEEDED, rows=7)
    today = clock.now().date()
    async with get_session() as session:
        old = {"day": today - timedelta(days=40)}
        await session.execute(update(UsageDay).where(UsageDay.org_id == org.id).values(**old))
    assert (await report(org.slug)).items == ()
    wide = await report(org.slug, date_from=today - timedelta(days=60))
    assert wide.total.rows == 7


async def test_pages_of_use_follow_each_other_and_each_tells_the_whole_total(org):
    for name in ("crm", "shop", "web"):
        await end_run(org.slug, SUCCEEDED, pipeline=name, rows=10)
    yesterday = {"day": clock.now().date() - timedelta(days=1)}
    async with get_session() as session:
        moved = update(UsageDay).where(UsageDay.org_id == org.id)
        await session.execute(moved.where(UsageDay.pipeline_name == "crm").values(**yesterday))
    whole, cursor, paged = await report(org.slug), None, ()
    for _ in range(3):
        page = await report(org.slug, cursor=cursor, limit=1)
        assert page.total == whole.total
        paged, cursor = paged + page.items, page.next
    assert cursor is None
    assert paged == whole.items
    assert [item.pipeline for item in paged] == ["shop", "web", "crm"]
    assert whole.total.rows == 30


async def test_span_that_ends_before_it_begins_is_refused(scope):
    with pytest.raises(InvalidInputError):
        await usage.report(scope, date(2026, 2, 1), date(2026, 1, 1))


async def test_another_orgs_usage_is_not_counted(org, make_slug):
    from etlfabric_dagster.services import orgs  # noqa: PLC0415

    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await end_run(other.slug, SUCCEEDED, rows=5)
    assert (await report(org.slug)).items == ()


async def test_quota_warns_then_refuses_runs_and_schedules(org):
    await end_run(org.slug, SUCCEEDED, rows=80)
    state = await quotas.set_quota(OPERATOR, org.slug, rows_per_month=100)
    assert (state.exceeded, len(state.warnings)) == (False, 1)
    await end_run(org.slug, SUCCEEDED, rows=20)
    async with org_scope(OPERATOR, org.slug) as scope:
        with pytest.raises(QuotaError, match="100 of 100 rows of this month"):
            await runs.start(scope, "shop")
        await schedules.set_schedule(scope, "shop", cron="* * * * *")
    due = clock.now() - timedelta(seconds=1)
    async with get_session() as session:
        mine = update(Schedule).where(Schedule.org_id == org.id)
        await session.execute(mine.values(next_fire_at=due))
    await schedules.fire_due(clock.now())
    async with get_session() as session:
        queued = select(func.count()).where(Run.org_id == org.id, Run.status == "queued")
        assert await session.scalar(queued) == 0
    await quotas.set_quota(OPERATOR, org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await runs.start(scope, "shop")).status is RunStatus.QUEUED


async def test_storage_quota_measures_the_tables(org, warehouse):
    import psycopg  # noqa: PLC0415

    login = {"user": warehouse.username, "password": warehouse.password}
    with psycopg.connect(
        host=warehouse.host, port=warehouse.port, dbname=warehouse.database, **login
    ) as conn:
        conn.execute(f"CREATE TABLE \"{warehouse.raw}\".t AS SELECT repeat('x', 9000) AS x")
    state = await quotas.set_quota(OPERATOR, org.slug, storage_bytes=1000)
    assert (state.storage_used_bytes or 0) >= 8192
    assert state.exceeded


async def test_only_operators_set_quotas(org):
    with pytest.raises(PermissionDeniedError):
        await quotas.set_quota(Actor("ana"), org.slug, rows_per_month=1)


async def test_metrics_name_each_org_and_pipeline(org):
    await end_run(org.slug, SUCCEEDED, rows=11, size=22)
    await end_run(org.slug, FAILED, rows=1)
    async with org_scope(OPERATOR, org.slug) as scope:
        await runs.start(scope, "shop")
    text_format = metrics.render(await metrics.snapshot())
    label = f'{{org="{org.slug}",pipeline="shop"}}'
    lines = text_format.splitlines()
    assert f"etlfabric_pipeline_rows_loaded_total{label} 12" in lines
    assert f"etlfabric_pipeline_runs_failed_total{label} 1" in lines
    assert f"etlfabric_pipeline_runs_queued{label} 1" in lines
    assert "# TYPE etlfabric_pipeline_rows_loaded_total counter" in lines
