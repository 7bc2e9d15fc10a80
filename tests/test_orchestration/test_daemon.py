"""Dagster's optional daemon works on our workspace."""

from __future__ import annotations

import asyncio

import dagster as dg
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration import daemon
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunOut
from etlfabric_dagster.services import runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_orchestration.test_workspace import graphql

BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename
    ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


async def test_the_daemon_for_backfills_beats_without_an_error(
    published: OrgOut, instance: dg.DagsterInstance
) -> None:
    @retry(stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True)
    def wait_for_beat() -> dg.DagsterInstance:
        assert "BACKFILL" in instance.get_daemon_heartbeats()
        return instance

    def work() -> None:
        with daemon.working(instance) as controller:
            wait_for_beat()
            controller.check_daemon_threads()

    await asyncio.to_thread(work)
    beat = instance.get_daemon_heartbeats()["BACKFILL"]
    assert not beat.errors


async def test_a_backfill_of_assets_is_a_run_of_their_pipeline(
    published: OrgOut, instance: dg.DagsterInstance
) -> None:
    assets = [{"path": [published.slug, "raw", "shop__orders"]}]
    with FabricProcessContext(instance) as context:
        params = {"assetSelection": assets, "allPartitions": True}
        asked = graphql(context, BACKFILL, params=params)
        answer = await asyncio.to_thread(asyncio.run, asked)
    launched = answer["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    @retry(stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
    def wait_for_run() -> RunOut:
        page = aio.run(runs_of(published))
        assert page, instance.get_backfill(launched["backfillId"])
        return page[0]

    def work() -> RunOut:
        with daemon.working(instance):
            return wait_for_run()

    run = await asyncio.to_thread(work)
    assert (run.pipeline, run.trigger, run.status) == ("shop", "dagster", "queued")
    assert run.selection.streams == ("orders",)
    assert run.selection.models == ()
    recorded = instance.get_run_by_id(str(run.id))
    assert recorded
    assert recorded.tags["dagster/backfill"] == launched["backfillId"]


async def runs_of(org: OrgOut) -> tuple[RunOut, ...]:
    async with org_scope(OPERATOR, org.slug) as scope:
        return (await runs.list_runs(scope)).items
