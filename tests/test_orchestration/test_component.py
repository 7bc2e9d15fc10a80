"""An org as a component of somebody's Dagster project, as `dg` loads it from YAML."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.orchestration.component import FabricTenantComponent
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import orgs, snapshots
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_orchestration.conftest import add_manifest, add_pipeline

PROJECT = Path(__file__).parents[2] / "docs" / "dagster-project"


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example of the docs, importable."""
    monkeypatch.syspath_prepend(PROJECT / "src")
    yield PROJECT
    for name in [name for name in sys.modules if name.partition(".")[0] == "warehouse"]:
        del sys.modules[name]


@pytest.fixture
async def northwind(migrated: object, manifest: dict[str, Any]) -> OrgOut:
    """The org that the example's YAML names, published."""
    org = await orgs.create(OPERATOR, "northwind", "Northwind")
    await add_pipeline(org, "shop", "orders", "customers")
    await add_manifest(org, manifest, shop=list(manifest["nodes"]))
    await snapshots.publish(org.id, encode)
    return org


def groups(definitions: dg.Definitions) -> dict[str, str | None]:
    specs = definitions.resolve_all_asset_specs()
    return {"/".join(spec.key.path): spec.group_name for spec in specs}


async def test_the_example_project_is_loaded_from_yaml_with_its_own_names(
    northwind: OrgOut, project: Path
) -> None:
    loaded = await asyncio.to_thread(dg.load_from_defs_folder, path_within_project=project)
    found = groups(loaded)
    assert found["northwind/raw/shop__orders"] == "loads"
    assert found["northwind/staging/stg_shop__orders"] == "staging"
    assert found["northwind/marts/daily_orders"] == "marts"
    assert found["weekly_report"] == "reports"
    assert loaded.resolve_job_def("shop")


async def test_the_component_itself_names_as_the_platform_does(published: OrgOut) -> None:
    def load(slug: str) -> dg.Definitions:
        component = FabricTenantComponent(org=slug)
        return component.build_defs(dg.ComponentTree.for_test().load_context)

    definitions = await asyncio.to_thread(load, published.slug)
    assert groups(definitions)[f"{published.slug}/raw/shop__orders"] == "shop"
    with pytest.raises(NotFoundError, match="no published definitions"):
        await asyncio.to_thread(load, "nobody_at_all")
