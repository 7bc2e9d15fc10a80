"""Lists and overview tell how pipelines fare, with a fixed number of queries."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from etlfabric_dagster.db import engine
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.schemas.alerts import ChannelKind
from etlfabric_dagster.schemas.health import PipelineState
from etlfabric_dagster.schemas.runs import RunStatus, Trigger
from etlfabric_dagster.services import (
    alert_watch,
    alerts,
    incidents,
    overview,
    pipeline_health,
    pipelines,
    schedules,
)
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import add_pipeline, end_run

FAILED, SUCCEEDED, CANCELED = RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.CANCELED


@contextmanager
def counted_queries():
    statements: list[str] = []

    def note(_conn, _cursor, statement, *_):
        statements.append(statement)

    event.listen(engine().sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine().sync_engine, "before_cursor_execute", note)


async def listed(slug: str):
    async with org_scope(OPERATOR, slug) as scope:
        return {item.name: item for item in (await overview.list_pipelines(scope)).items}


async def shown(slug: str):
    async with org_scope(OPERATOR, slug) as scope:
        return await overview.show(scope)


async def schedule(slug: str, pipeline: str = "shop", cron: str = "0 * * * *") -> None:
    await add_pipeline(slug, pipeline)
    async with org_scope(OPERATOR, slug) as scope:
        await schedules.set_schedule(scope, pipeline, cron=cron)


async def test_list_carries_the_last_14_outcomes_oldest_first(org):
    for number in range(16):
        await end_run(org.slug, SUCCEEDED, rows=number, ago=timedelta(minutes=16 - number))
    item = (await listed(org.slug))["shop"]
    assert [outcome.rows for outcome in item.health.outcomes] == list(range(2, 16))
    assert item.health.usual_s == pytest.approx(2)
    assert item.state is PipelineState.HEALTHY


async def test_lists_and_overview_ask_as_often_for_one_pipeline_as_for_ten(org):
    await end_run(org.slug, SUCCEEDED)
    await schedule(org.slug)
    counts = []
    for _ in range(2):
        with counted_queries() as queries:
            await listed(org.slug)
            in_list = len(queries)
            await shown(org.slug)
        counts.append((in_list, len(queries) - in_list))
        for number in range(9):
            await end_run(org.slug, FAILED, pipeline=f"p{number}")
            await schedule(org.slug, f"p{number}")
    assert counts[0] == counts[1]
    assert counts[0][0] <= 5
    assert counts[0][1] <= 9


async def test_pages_of_the_list_follow_each_other(org):
    for name in ("a", "b", "c"):
        await add_pipeline(org.slug, name)
    async with org_scope(OPERATOR, org.slug) as scope:
        first = await overview.list_pipelines(scope, limit=2)
        second = await overview.list_pipelines(scope, limit=2, cursor=first.next)
    assert [item.name for item in first.items + second.items] == ["a", "b", "c"]
    assert second.next is None


async def test_canceled_run_changes_neither_failing_nor_success_rate(org):
    await end_run(org.slug, FAILED, ago=timedelta(minutes=2))
    await end_run(org.slug, CANCELED)
    assert (await listed(org.slug))["shop"].state is PipelineState.FAILING
    found = await shown(org.slug)
    assert found.success_rate_7d == 0
    assert [brief.name for brief in found.failing] == ["shop"]
    assert found.failing[0].error is not None
    await end_run(org.slug, SUCCEEDED, rows=9)
    found = await shown(org.slug)
    assert (found.failing, found.fine, found.success_rate_7d) == ((), 1, 0.5)
    assert found.rows_today == found.rows_per_day[-1].rows == 9


async def test_states_have_one_order(org):
    await add_pipeline(org.slug, "fresh")
    await end_run(org.slug, FAILED, pipeline="asleep")
    async with org_scope(OPERATOR, org.slug) as scope:
        await pipelines.set_paused(scope, "asleep", paused=True)
    states = {name: item.state for name, item in (await listed(org.slug)).items()}
    assert states == {"asleep": PipelineState.PAUSED, "fresh": PipelineState.NEVER_RUN}


async def test_scheduled_run_without_success_makes_a_pipeline_late_after_its_grace(org):
    await schedule(org.slug)
    await end_run(org.slug, SUCCEEDED, ago=timedelta(hours=3))
    await end_run(org.slug, FAILED, trigger=Trigger.SCHEDULE, ago=timedelta(minutes=20))
    assert (await listed(org.slug))["shop"].health.late_since is None  # grace: half an hour
    await end_run(org.slug, FAILED, trigger=Trigger.SCHEDULE, ago=timedelta(minutes=80))
    assert (await listed(org.slug))["shop"].health.late_since is not None
    await end_run(org.slug, SUCCEEDED)
    assert (await listed(org.slug))["shop"].state is PipelineState.HEALTHY


@pytest.mark.parametrize(
    ("interval_s", "minutes", "late"),
    [(60, 14, False), (60, 16, True), (7200, 59, False), (7200, 61, True)],
    ids=["short-14", "short-16", "long-59", "long-61"],
)
def test_grace_is_the_longer_of_15_minutes_and_half_an_interval(interval_s, minutes, late):
    due = datetime(2026, 11, 23, 12, tzinfo=UTC)
    row = Schedule(interval_s=interval_s, timezone="UTC", paused=False)
    since = pipeline_health.late_since(due, row, due + timedelta(minutes=minutes))
    assert since == (due if late else None)


async def test_overview_of_an_empty_org_has_no_figures(org):
    found = await shown(org.slug)
    assert (found.pipelines, found.success_rate_7d, found.oldest_mart) == (0, None, None)


async def test_overview_names_what_runs_next(org):
    await schedule(org.slug, "later", "0 0 1 1 *")
    await schedule(org.slug, "soon", "* * * * *")
    assert [fire.pipeline for fire in (await shown(org.slug)).next] == ["soon", "later"]


async def test_stale_pipeline_opens_one_incident_that_a_good_run_closes(org):
    async with org_scope(OPERATOR, org.slug) as scope:
        to = ["ops@example.com"]
        await alerts.create_channel(scope, "mail", ChannelKind.EMAIL, to=to)
        rule = {"kinds": ["staleness", "recovery"], "channels": ["mail"], "stale_after_s": 3600}
        await alerts.put_rule(scope, "fresh", rule)
    await end_run(org.slug, SUCCEEDED, ago=timedelta(minutes=59))
    await alert_watch.watch_staleness()
    assert await open_incidents(org.slug) == []
    await age_runs(org.slug)
    await alert_watch.watch_staleness()
    await alert_watch.watch_staleness()
    (incident,) = await open_incidents(org.slug)
    assert incident.kind == "staleness"
    assert "more than 1 h 00 min ago" in incident.message
    await alert_watch.evaluate_run(await end_run(org.slug, SUCCEEDED))
    assert await open_incidents(org.slug) == []


async def test_paused_pipeline_is_not_stale(org):
    async with org_scope(OPERATOR, org.slug) as scope:
        await alerts.create_channel(scope, "mail", ChannelKind.EMAIL, to=["ops@example.com"])
        rule = {"kinds": ["staleness"], "channels": ["mail"], "stale_after_s": 60}
        await alerts.put_rule(scope, "fresh", rule)
    await end_run(org.slug, SUCCEEDED, ago=timedelta(hours=1))
    async with org_scope(OPERATOR, org.slug) as scope:
        await pipelines.set_paused(scope, "shop", paused=True)
    await alert_watch.watch_staleness()
    assert await open_incidents(org.slug) == []


async def open_incidents(slug: str):
    async with org_scope(OPERATOR, slug) as scope:
        return list((await incidents.list_incidents(scope, open_only=True)).items)


async def age_runs(slug: str) -> None:

    async with org_scope(OPERATOR, slug) as scope:
        statement = update(Run).where(Run.org_id == scope.org_id)
        await scope.session.execute(
            statement.values(finished_at=Run.finished_at - timedelta(minutes=2))
        )
