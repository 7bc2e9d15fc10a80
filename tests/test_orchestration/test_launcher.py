"""A launch from Dagster's webserver takes the same road as any other run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from etlfabric_dagster.orchestration import agreement
from etlfabric_dagster.orchestration.definitions import dbt_nodes
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunOut, RunStatus
from etlfabric_dagster.services import orgs, runs, snapshots
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_orchestration.test_workspace import graphql

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId status } } ... on PythonError { message }
  ... on InvalidSubsetError { message } } }"""
TERMINATE = """mutation($run: String!, $policy: TerminateRunPolicy) {
  terminateRun(runId: $run, terminatePolicy: $policy) { __typename
    ... on TerminateRunFailure { message } ... on PythonError { message } } }"""


@pytest.fixture
def context(published: OrgOut, instance: dg.DagsterInstance) -> Iterator[FabricProcessContext]:
    with FabricProcessContext(instance) as opened:
        yield opened


async def launch(
    context: FabricProcessContext, org: OrgOut, job: str, *assets: str, **selection: Any
) -> dict[str, Any]:
    selector: dict[str, Any] = {
        "repositoryLocationName": org.slug,
        "repositoryName": "__repository__",
        "pipelineName": job,
        **selection,
    }
    if assets:
        selector["assetSelection"] = [{"path": [org.slug, *a.split("/")]} for a in assets]
    # in a thread of its own loop, as the webserver does: Dagster's resolvers block
    params = {"selector": selector, "mode": "default", "runConfigData": {}}
    data = await asyncio.to_thread(asyncio.run, graphql(context, LAUNCH, params=params))
    return data["launchRun"]


async def ours(org: OrgOut, run_id: str) -> RunOut:
    async with org_scope(OPERATOR, org.slug) as scope:
        return await runs.get(scope, UUID(run_id))


async def test_a_launched_job_is_a_run_of_its_pipeline_with_the_same_id(
    published: OrgOut, context: FabricProcessContext
) -> None:
    answer = await launch(context, published, "shop")
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run = await ours(published, answer["run"]["runId"])
    assert (run.pipeline, run.trigger, run.status) == ("shop", "dagster", "queued")
    assert run.selection.streams is None
    assert run.selection.models is None


async def test_a_selection_inside_one_pipeline_is_a_partial_run(
    published: OrgOut, context: FabricProcessContext
) -> None:
    assets = ("raw/shop__orders", "marts/daily_orders")
    answer = await launch(context, published, "__ASSET_JOB", *assets)
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run = await ours(published, answer["run"]["runId"])
    assert run.pipeline == "shop"
    assert run.selection.streams == ("orders",)
    assert run.selection.models == ("daily_orders",)


async def test_a_selection_of_checks_alone_is_a_run_that_loads_and_builds_nothing(
    published: OrgOut, context: FabricProcessContext
) -> None:
    nodes = dbt_nodes(await snapshots.load(published.slug))
    unique_id, check = next(iter(nodes.checks.items()))
    key = {"path": list(check.key.asset_key.path)}
    chosen = {"assetKey": key, "name": check.key.name}
    selection = {"assetSelection": [], "assetCheckSelection": [chosen]}
    answer = await launch(context, published, "__ASSET_JOB", **selection)
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run = await ours(published, answer["run"]["runId"])
    assert run.selection.streams == ()
    assert run.selection.models == ()
    assert run.selection.checks == (unique_id,)


async def test_a_selection_that_spans_pipelines_is_refused_with_the_remedy(
    published: OrgOut, context: FabricProcessContext, instance: dg.DagsterInstance
) -> None:
    answer = await launch(context, published, "__ASSET_JOB", "raw/shop__orders", "raw/crm__deals")
    assert answer["__typename"] == "PythonError"
    assert "spans the pipelines crm, shop" in answer["message"]
    assert "launch one run per pipeline" in answer["message"]
    async with org_scope(OPERATOR, published.slug) as scope:
        assert (await runs.list_runs(scope)).items == ()


async def test_a_suspended_org_launches_nothing(
    published: OrgOut, context: FabricProcessContext
) -> None:
    await orgs.suspend(OPERATOR, published.slug)
    answer = await launch(context, published, "shop")
    assert answer["__typename"] == "PythonError"
    assert "suspended" in answer["message"]


@pytest.mark.parametrize("policy", ["SAFE_TERMINATE", "MARK_AS_CANCELED_IMMEDIATELY"])
async def test_terminating_a_queued_run_cancels_it_in_both(
    published: OrgOut, context: FabricProcessContext, instance: dg.DagsterInstance, policy: str
) -> None:
    run_id = (await launch(context, published, "shop"))["run"]["runId"]
    terminated = graphql(context, TERMINATE, run=run_id, policy=policy)
    answer = await asyncio.to_thread(asyncio.run, terminated)
    assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer
    assert (await ours(published, run_id)).status is RunStatus.CANCELED
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]


async def test_a_queued_run_canceled_by_us_ends_in_dagster_too(
    published: OrgOut, context: FabricProcessContext, instance: dg.DagsterInstance
) -> None:
    run_id = (await launch(context, published, "shop"))["run"]["runId"]
    async with org_scope(OPERATOR, published.slug) as scope:
        await runs.request_cancel(scope, UUID(run_id))
    await asyncio.to_thread(agreement.agree, instance, 60)
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
