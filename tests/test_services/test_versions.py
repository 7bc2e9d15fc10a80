"""Two who edit one thing in forms: the second is told, and undoes nothing."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import EditedMeanwhileError
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.streams import SchemaPolicy
from etlfabric_dagster.services import connections, pipelines
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import add_pipeline

CONFIG = {"dialect": "postgresql", "host": "db.acme.io", "database": "shop", "username": "r"}


async def test_a_connection_that_was_saved_meanwhile_is_not_saved_over(org: OrgOut) -> None:
    async with org_scope(OPERATOR, org.slug) as scope:
        made = await connections.create(scope, "shop", "sql_database", CONFIG, {"password": "pw"})
    opened = connections.version_of(made)
    async with org_scope(OPERATOR, org.slug) as scope:
        theirs = CONFIG | {"host": "db2.acme.io"}
        await connections.update(scope, "shop", config=theirs, expected=opened)

    with pytest.raises(EditedMeanwhileError, match="operator saved shop after you opened it"):
        async with org_scope(OPERATOR, org.slug) as scope:
            await connections.update(scope, "shop", config=CONFIG, expected=opened)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await connections.get(scope, "shop")).config["host"] == "db2.acme.io"


@pytest.mark.usefixtures("interactive_worker")
async def test_a_pipeline_that_was_saved_meanwhile_is_not_saved_over(org: OrgOut) -> None:
    await add_pipeline(org.slug)
    opened = pipelines.version_of(await pipelines.get_by_name(OPERATOR, org.slug, "shop"))
    async with org_scope(OPERATOR, org.slug) as scope:  # no edit that another would undo
        await pipelines.set_paused(scope, "shop", paused=True)
    await pipelines.update(
        OPERATOR, org.slug, "shop", schema_policy=SchemaPolicy.FREEZE, expected=opened
    )

    with pytest.raises(EditedMeanwhileError, match="operator saved shop"):
        await pipelines.update(
            OPERATOR, org.slug, "shop", schema_policy=SchemaPolicy.EVOLVE, expected=opened
        )
