"""Definitions are a pure function of the snapshot."""

from __future__ import annotations

import dagster as dg
import pytest

from etlfabric_dagster.errors import ConflictError
from etlfabric_dagster.orchestration.definitions import build_definitions
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.schemas.snapshot import TenantSnapshot

ORDERS = dg.AssetKey(["acme", "raw", "shop__orders"])
LINES = dg.AssetKey(["acme", "raw", "shop__orders__lines"])
STAGED = dg.AssetKey(["acme", "staging", "stg_shop__orders"])
DAILY = dg.AssetKey(["acme", "marts", "daily_orders"])


@pytest.fixture
def definitions(snapshot: TenantSnapshot) -> dg.Definitions:
    return build_definitions(snapshot)


def spec(definitions: dg.Definitions, key: dg.AssetKey) -> dg.AssetSpec:
    return definitions.resolve_assets_def(key).specs_by_key[key]


def test_raw_tables_staging_and_marts_depend_on_each_other(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert graph.get(STAGED).parent_keys == {ORDERS}
    assert graph.get(DAILY).parent_keys == {
        STAGED,
        dg.AssetKey(["acme", "staging", "stg_shop__customers"]),  # through the ephemeral model
    }
    assert graph.get(LINES).parent_keys == {ORDERS}


def test_no_asset_leaves_the_org_whatever_its_yaml_asks_for(definitions: dg.Definitions) -> None:
    assert {key.path[0] for key in definitions.resolve_asset_graph().get_all_asset_keys()} == {
        "acme"
    }


def test_specs_name_group_kinds_owners_and_columns(definitions: dg.Definitions) -> None:
    orders = spec(definitions, ORDERS)
    assert orders.group_name == "shop"
    assert orders.kinds == {"dlt", "postgres", "sql_database"}
    assert list(orders.owners) == ["ann@acme.example", "team:data"]
    assert orders.metadata["dagster/column_schema"].columns[0].name == "id"
    assert spec(definitions, STAGED).kinds == {"dbt", "postgres"}
    assert spec(definitions, STAGED).group_name == "shop"
    assert spec(definitions, DAILY).group_name == "shared"


def test_dbt_tests_are_checks_of_the_asset_they_stand_on(definitions: dg.Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    assert dg.AssetCheckKey(STAGED, "unique_stg_shop__orders_id") in checks
    assert dg.AssetCheckKey(DAILY, "no_orphans") in checks


def test_a_job_holds_exactly_its_pipelines_streams_and_nodes(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("shop").asset_layer
    assert job.selected_asset_keys == {
        ORDERS,
        LINES,
        dg.AssetKey(["acme", "raw", "shop__customers"]),
        STAGED,
        dg.AssetKey(["acme", "staging", "stg_shop__customers"]),
        DAILY,
    }
    report = definitions.resolve_job_def("report").asset_layer
    assert report.selected_asset_keys == {DAILY, dg.AssetKey(["acme", "marts", "regions"])}
    assert not report.asset_graph.asset_check_keys & report.selected_asset_keys


def test_same_snapshot_gives_the_same_repository(snapshot: TenantSnapshot) -> None:
    assert encode(snapshot) == encode(TenantSnapshot.model_validate(snapshot.model_dump()))


def test_definitions_do_not_change_their_snapshot(snapshot: TenantSnapshot) -> None:
    before = snapshot.model_copy(deep=True)
    encode(snapshot)
    assert snapshot == before


def test_an_org_without_pipelines_has_definitions() -> None:
    empty = TenantSnapshot(
        org_id="00000000-0000-0000-0000-0000000000bb", slug="empty", name="E", version=1
    )
    assert encode(empty).jobs == {}


def test_assets_outside_an_attempt_refuse_to_run(snapshot: TenantSnapshot) -> None:
    job = build_definitions(snapshot).resolve_job_def("shop")
    with pytest.raises(ConflictError, match="not started by an ETL Fabric worker"):
        job.execute_in_process()
