"""Dagster's records: old runs go, what assets show stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import dagster as dg

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
    await asyncio.to_thread(records.forget_old, instance)
    assert instance.has_run(first)


def test_warming_up_runs_a_tenant_without_any_server() -> None:
    assert warmup.run_once()
