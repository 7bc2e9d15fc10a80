"""What is published shows in Dagster, without restarting anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest
from dagster_graphql.schema import create_schema

from etlfabric_dagster.config import Settings
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import orgs, snapshots
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_orchestration.conftest import add_pipeline

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name
  locationOrLoadError { __typename ... on PythonError { message }
    ... on RepositoryLocation { repositories { name jobs { name } } } } } } } }"""
PLAN = """query($job: PipelineSelector!) { executionPlanOrError(pipeline: $job, mode: "default") {
  __typename ... on ExecutionPlan { steps { key } } ... on PythonError { message } } }"""
ASSETS = "query($keys: [AssetKeyInput!]) { assetNodes(assetKeys: $keys) { id opNames kinds } }"
SCHEMA = create_schema()


@pytest.fixture
def context(instance: dg.DagsterInstance) -> Iterator[FabricProcessContext]:
    with FabricProcessContext(instance, poll_s=0.05) as opened:
        yield opened


async def graphql(context: FabricProcessContext, query: str, **variables: Any) -> dict[str, Any]:
    request = context.create_request_context()
    result = await SCHEMA.execute_async(query, context_value=request, variables=variables)
    assert not result.errors, result.errors
    assert result.data
    return result.data


async def locations(context: FabricProcessContext) -> dict[str, Any]:
    data = await graphql(context, LOCATIONS)
    entries = data["workspaceOrError"]["locationEntries"]
    return {entry["name"]: entry["locationOrLoadError"] for entry in entries}


async def until(condition: Callable[[], Any], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


async def test_a_published_org_is_a_location_with_its_pipelines_as_jobs(
    published: OrgOut, context: FabricProcessContext
) -> None:
    found = await locations(context)
    repository = found[published.slug]["repositories"][0]
    jobs = {job["name"] for job in repository["jobs"]}
    assert {"shop", "crm"} <= jobs


async def test_a_new_org_and_a_new_pipeline_appear_while_it_runs(
    context: FabricProcessContext, make_slug: Callable[[], str], migrated: Settings
) -> None:
    org = await orgs.create(OPERATOR, make_slug(), "New")
    await snapshots.publish(org.id, encode)

    async def visible() -> bool:
        return org.slug in await locations(context)

    await until(visible)
    await add_pipeline(org, "late", "orders")
    await snapshots.publish(org.id, encode)

    async def has_job() -> bool:
        repository = (await locations(context))[org.slug]["repositories"][0]
        return "late" in {job["name"] for job in repository["jobs"]}

    await until(has_job)
    await orgs.suspend(OPERATOR, org.slug)

    async def gone() -> bool:
        return org.slug not in await locations(context)

    await until(gone)


async def test_execution_plans_come_from_repositories_built_in_this_process(
    published: OrgOut, context: FabricProcessContext
) -> None:
    selector = {
        "repositoryLocationName": published.slug,
        "repositoryName": "__repository__",
        "pipelineName": "shop",
    }
    data = await graphql(context, PLAN, job=selector)
    steps = {step["key"] for step in data["executionPlanOrError"]["steps"]}
    assert steps == {"load__shop", "transform__dbt"}
    part = {**selector, "assetSelection": [{"path": [published.slug, "raw", "shop__orders"]}]}
    data = await graphql(context, PLAN, job=part)
    assert [step["key"] for step in data["executionPlanOrError"]["steps"]] == ["load__shop"]


async def test_assets_are_shown_with_their_kinds(
    published: OrgOut, context: FabricProcessContext
) -> None:
    path = [published.slug, "raw", "shop__orders"]
    data = await graphql(context, ASSETS, keys=[{"path": path}])
    assert [set(node["kinds"]) for node in data["assetNodes"]] == [
        {"dlt", "postgres", "sql_database"}
    ]


async def test_an_org_that_cannot_be_built_shows_its_cause_and_keeps_the_last_good_version(
    published: OrgOut, context: FabricProcessContext
) -> None:
    await add_pipeline(published, "new", "orders")

    def broken(_snapshot: object) -> object:
        raise ValueError("two assets share a key")

    with pytest.raises(ValueError, match="share a key"):
        await snapshots.publish(published.id, broken)  # type: ignore[arg-type]
    context.sync()
    repository = (await locations(context))[published.slug]["repositories"][0]
    assert "shop" in {job["name"] for job in repository["jobs"]}
    entry = context.get_current_workspace().code_location_entries[published.slug]
    assert "two assets share a key" in entry.display_metadata["not published"]


async def test_an_org_never_published_shows_why(org: OrgOut, context: FabricProcessContext) -> None:
    await snapshots.record_error(org.id, 1, "no such table")
    context.sync()
    found = (await locations(context))[org.slug]
    assert found["__typename"] == "PythonError"
    assert "no such table" in found["message"]
