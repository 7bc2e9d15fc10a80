"""Dagster's records: old runs go, what assets show stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import dagster as dg
import psycopg

from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration import records, warmup


async def materialize(instance: dg.DagsterInstance, *names: str) -> str:
    @dg.multi_asset(specs=[dg.AssetSpec(["records", name]) for name in names])
    def made():
        for name in names:
            yield dg.MaterializeResult(asset_key=["records", name])

    result = await asyncio.to_thread(dg.materialize, [made], instance=instance)
    return result.run_id


async def test_old_runs_go_but_the_last_of_each_asset_stays(instance: dg.DagsterInstance) -> None:
    first = await materialize(instance, "a", "b")
    second = await materialize(instance, "a")
    third = await materialize(instance, "a")
    await asyncio.to_thread(records.forget_old, instance, timedelta(0))
    assert instance.has_run(first), "the only one that materialised b"
    assert not instance.has_run(second)
    assert instance.has_run(third)


async def test_young_runs_stay(instance: dg.DagsterInstance) -> None:
    first = await materialize(instance, "c")
    await materialize(instance, "c")
    await asyncio.to_thread(records.forget_old, instance, timedelta(days=30))
    assert instance.has_run(first)


async def test_a_run_goes_with_its_events_and_checks(instance: dg.DagsterInstance) -> None:
    @dg.asset(
        key=["records", "d"], check_specs=[dg.AssetCheckSpec("whole", asset=["records", "d"])]
    )
    def made():
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    result = await asyncio.to_thread(dg.materialize, [made], instance=instance)
    run_id = result.run_id
    await materialize(instance, "d")
    assert count(instance, "event_logs", run_id) > 0
    assert count(instance, "asset_check_executions", run_id) == 1
    await asyncio.to_thread(records.forget_old, instance, timedelta(0), dry_run=True)
    assert instance.has_run(run_id)
    await asyncio.to_thread(records.forget_old, instance, timedelta(0))
    assert not instance.has_run(run_id)
    assert count(instance, "event_logs", run_id) == 0
    assert count(instance, "asset_check_executions", run_id) == 0


def count(instance: dg.DagsterInstance, table: str, run_id: str) -> int:
    with psycopg.connect(settings.dagster_database.render_as_string(hide_password=False)) as conn:
        row = conn.execute(f'SELECT count(*) FROM "{table}" WHERE run_id = %s', (run_id,))
        return row.fetchone()[0]


def test_warming_up_runs_a_tenant_without_any_server() -> None:
    assert warmup.run_once()
