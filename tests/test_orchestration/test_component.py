"""An org as a component of somebody's Dagster project."""

from __future__ import annotations

import asyncio

import dagster as dg

from etlfabric_dagster.orchestration.component import FabricTenantComponent
from etlfabric_dagster.schemas.orgs import OrgOut

TYPE = f"{FabricTenantComponent.__module__}.FabricTenantComponent"


async def test_the_component_gives_the_orgs_definitions(published: OrgOut) -> None:
    def load() -> dg.Definitions:
        component = FabricTenantComponent(org=published.slug)
        return component.build_defs(dg.ComponentTree.for_test().load_context)

    definitions = await asyncio.to_thread(load)
    assert definitions.resolve_job_def("shop")


def test_dg_finds_it_by_its_name() -> None:
    module, _, name = TYPE.rpartition(".")
    assert (module, name) == ("etlfabric_dagster.orchestration.component", "FabricTenantComponent")
    assert issubclass(FabricTenantComponent, dg.Component)
