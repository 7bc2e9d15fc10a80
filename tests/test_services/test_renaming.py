"""A pipeline's other name, everywhere it is told by name."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.schemas.alerts import ChannelKind
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import alerts, pipelines, renaming, runs, schedules, usage
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import add_pipeline, end_run


async def rename(org: OrgOut, name: str, new: str) -> str:
    async with org_scope(OPERATOR, org.slug) as scope:
        return (await renaming.rename_pipeline(scope, name, new)).name


async def test_history_schedule_usage_and_rules_go_with_a_pipelines_name(org: OrgOut) -> None:
    run_id = await end_run(org.slug, RunStatus.SUCCEEDED, rows=7)
    async with org_scope(OPERATOR, org.slug) as scope:
        await schedules.set_schedule(scope, "shop", cron="0 * * * *")
        await alerts.create_channel(scope, "mail", ChannelKind.EMAIL, to=["a@example.com"])
        await alerts.put_rule(scope, "all", {"channels": ["mail"], "pipelines": ["shop"]})

    assert await rename(org, "shop", "store") == "store"
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await runs.get(scope, run_id)).pipeline == "store"
        assert (await schedules.get(scope, "store")).cron == "0 * * * *"
        assert {one.pipeline for one in (await usage.report(scope)).items} == {"store"}
        assert [one.pipelines for one in (await alerts.list_rules(scope)).items] == [("store",)]
        assert (await runs.start(scope, "store")).pipeline == "store"
        with pytest.raises(NotFoundError):
            await pipelines.get(scope, "shop")


async def test_a_name_that_is_taken_or_impossible_is_refused(org: OrgOut) -> None:
    await add_pipeline(org.slug, "shop")
    await add_pipeline(org.slug, "crm")

    with pytest.raises(ConflictError, match="already a pipeline 'crm'"):
        await rename(org, "shop", "crm")
    with pytest.raises(InvalidInputError):
        await rename(org, "shop", "Not a name")


async def test_a_pipeline_whose_run_has_not_ended_keeps_its_name(org: OrgOut) -> None:
    await add_pipeline(org.slug, "shop")
    async with org_scope(OPERATOR, org.slug) as scope:
        await runs.start(scope, "shop")

    with pytest.raises(ConflictError, match="has not ended"):
        await rename(org, "shop", "store")


async def test_runs_of_one_pipeline_lead_to_each_other(org: OrgOut) -> None:
    first = await end_run(org.slug, RunStatus.SUCCEEDED)
    await end_run(org.slug, RunStatus.SUCCEEDED, pipeline="crm")
    second = await end_run(org.slug, RunStatus.FAILED)

    async with org_scope(OPERATOR, org.slug) as scope:
        assert await runs.neighbors(scope, first) == (None, second)
        assert await runs.neighbors(scope, second) == (first, None)
