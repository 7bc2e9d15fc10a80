"""The operators' list of orgs, the queue, and what suspending does."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import NotFoundError, PermissionDeniedError
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import fleet_orgs, orgs, pipeline_health
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope
from tests.test_services.ended_runs import add_pipeline, end_run

NOBODY = Actor("somebody@example.com")


async def test_org_is_found_by_a_part_of_slug_or_name_with_its_figures(org: OrgOut) -> None:
    await add_pipeline(org.slug)
    await end_run(org.slug, RunStatus.FAILED)
    async with org_scope(OPERATOR, org.slug) as scope:
        await orgs.edit(scope, name="Needle & Thread")

    for query in (org.slug, "needle"):
        found = {card.slug: card for card in (await fleet_orgs.list_orgs(OPERATOR, query)).items}
        card = found[org.slug]
        assert (card.pipelines, card.failing, card.running) == (1, 1, 0)
        assert card.last_active_at is not None
        assert card.storage_bytes >= 0
    assert (await fleet_orgs.list_orgs(OPERATOR, "no%such_org")).items == ()


async def test_list_is_paged_by_slug(org: OrgOut) -> None:
    first = await fleet_orgs.list_orgs(OPERATOR, "", limit=1)
    if first.next:
        second = await fleet_orgs.list_orgs(OPERATOR, "", first.next, limit=1)
        assert second.items[0].slug > first.items[0].slug


async def test_consequences_of_suspending_are_counted(org: OrgOut) -> None:
    await add_pipeline(org.slug)
    before = await fleet_orgs.consequences(OPERATOR, org.slug)
    await orgs.suspend(OPERATOR, org.slug)
    after = await fleet_orgs.consequences(OPERATOR, org.slug)

    assert before.logins == 2  # previews and BI
    assert (after.logins, after.runs) == (0, 0)
    with pytest.raises(NotFoundError):
        await fleet_orgs.consequences(OPERATOR, "no_such_org")


async def test_only_operators_see_the_fleet(org: OrgOut) -> None:
    for asked in (
        fleet_orgs.list_orgs(NOBODY),
        fleet_orgs.consequences(NOBODY, org.slug),
        fleet_orgs.load(NOBODY),
    ):
        with pytest.raises(PermissionDeniedError):
            await asked


async def test_load_counts_open_runs(org: OrgOut) -> None:
    found = await fleet_orgs.load(OPERATOR)

    assert found.queued >= 0
    assert (found.oldest_org is None) == (found.queued == 0)


async def test_failing_pipelines_of_an_org_are_counted_by_their_last_verdict(org: OrgOut) -> None:
    await add_pipeline(org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert await pipeline_health.count_failing(scope.session) == 0
    await end_run(org.slug, RunStatus.FAILED)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert await pipeline_health.count_failing(scope.session) == 1
    await end_run(org.slug, RunStatus.SUCCEEDED)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert await pipeline_health.count_failing(scope.session) == 0
