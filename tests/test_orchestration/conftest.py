"""A tenant with a real dbt manifest, parsed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest
import yaml
from dbt.cli.main import dbtRunner

from etlfabric_dagster.config import Settings
from etlfabric_dagster.models import Connection, DbtManifest, Pipeline, Stream
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, StreamSnapshot, TenantSnapshot
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema
from etlfabric_dagster.services import snapshots
from etlfabric_dagster.services.scope import OPERATOR, org_scope

ORG_ID = UUID("00000000-0000-0000-0000-0000000000aa")
PREFIX = f"tenant_{ORG_ID.hex}"
ID_COLUMN = ColumnInfo(name="id", type="bigint", nullable=False)

_FILES = {
    "models/sources.yml": {
        "sources": [
            {
                "name": "raw",
                "schema": f"{PREFIX}_raw",
                "tables": [{"name": "shop__orders"}, {"name": "shop__customers"}],
            }
        ]
    },
    "models/staging/stg_shop__orders.sql": "select id from {{ source('raw', 'shop__orders') }}",
    "models/staging/stg_shop__customers.sql": (
        "select id from {{ source('raw', 'shop__customers') }}"
    ),
    "models/staging/staging.yml": {
        "models": [
            {
                "name": "stg_shop__orders",
                # hostile: a tenant asks for another org's key and for an owner that is none
                "config": {"meta": {"dagster": {"asset_key": ["other", "raw", "x"]}}},
                "columns": [{"name": "id", "data_type": "bigint", "data_tests": ["unique"]}],
            }
        ]
    },
    "models/marts/hidden.sql": (
        "{{ config(materialized='ephemeral') }} select id from {{ ref('stg_shop__customers') }}"
    ),
    "models/marts/daily_orders.sql": (
        "select o.id from {{ ref('stg_shop__orders') }} o join {{ ref('hidden') }} using (id)"
    ),
    "tests/no_orphans.sql": "select id from {{ ref('daily_orders') }} where id is null",
    "seeds/regions.csv": "code\nde\n",
}


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest as the platform keeps it: without macros and docs."""
    root = tmp_path_factory.mktemp("dbt")
    project = {
        "name": "tenant",
        "profile": "tenant",
        "config-version": 2,
        "version": "1.0",
        "models": {"tenant": {"staging": {"+schema": "staging"}, "marts": {"+schema": "marts"}}},
        "seeds": {"+schema": "marts"},
    }
    target = {
        "type": "postgres",
        "host": "127.0.0.1",
        "port": 1,
        "user": "nobody",
        "password": "nothing",
        "dbname": "x",
        "schema": PREFIX,
        "threads": 1,
    }
    profile = {"tenant": {"target": "t", "outputs": {"t": target}}}
    _write(root, {"dbt_project.yml": project, "profiles.yml": profile, **_FILES})
    folder = str(root)
    args = ["--quiet", "parse", "--project-dir", folder, "--profiles-dir", folder]
    result = dbtRunner().invoke([*args, "--no-send-anonymous-usage-stats"])
    assert result.success, result.exception
    parsed = json.loads((root / "target" / "manifest.json").read_text())
    return {key: value for key, value in parsed.items() if key not in ("macros", "docs")}


def _write(root: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def stream(name: str, *children: str) -> StreamSnapshot:
    """A stream of the connection `shop` that was loaded before."""
    table = f"shop__{name}"
    tables = [TableSchema(table=table, stream=name, columns=(ID_COLUMN,))]
    tables += [
        TableSchema(table=f"{table}__{child}", stream=name, parent=table) for child in children
    ]
    return StreamSnapshot(
        name=name, table=table, mode=LoadMode.FULL, columns=(ID_COLUMN,), tables=tuple(tables)
    )


def _closure(manifest: dict[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(key for key, node in manifest["nodes"].items() if node["name"] in names)


@pytest.fixture
def snapshot(manifest: dict[str, Any]) -> TenantSnapshot:
    """Org acme: pipeline shop (two streams, its staging and marts) and transform-only `report`."""
    tests = [n["name"] for n in manifest["nodes"].values() if n["resource_type"] == "test"]
    everything = ["stg_shop__orders", "stg_shop__customers", "hidden", "daily_orders", *tests]
    shop = PipelineSnapshot(
        id=UUID(int=1),
        name="shop",
        connection="shop",
        connector="sql_database",
        streams=(stream("orders", "lines"), stream("customers")),
        models=_closure(manifest, *everything),
    )
    report = PipelineSnapshot(
        id=UUID(int=2), name="report", models=_closure(manifest, "daily_orders", "regions")
    )
    return TenantSnapshot(
        org_id=ORG_ID,
        slug="acme",
        name="Acme",
        version=3,
        owners=("ann@acme.example", "data"),
        pipelines=(shop, report),
        manifest=manifest,
    )


@pytest.fixture(scope="session")
def instance(migrated: Settings) -> Iterator[dg.DagsterInstance]:
    """The install's Dagster instance, as every process opens it."""
    with open_instance(migrated) as opened:
        yield opened


async def add_pipeline(org: OrgOut, name: str, *streams: str) -> None:
    """Configure a connection and a pipeline of the same name, as the services do."""
    async with org_scope(OPERATOR, org.slug) as scope:
        connection = Connection(name=name, connector="sql_database", config={})
        scope.session.add(connection)
        await scope.session.flush()
        pipeline = Pipeline(
            name=name, connection_id=connection.id, table_prefix=f"{name}__", schema_policy="evolve"
        )
        scope.session.add(pipeline)
        await scope.session.flush()
        for stream in streams:
            table = f"{name}__{stream}"
            row = Stream(pipeline_id=pipeline.id, name=stream, table_name=table, mode="full")
            scope.session.add(row)
        await scope.touch_config()


async def add_manifest(org: OrgOut, manifest: dict[str, Any], **selections: list[str]) -> None:
    """Store a parsed dbt project and which nodes each pipeline builds."""
    async with org_scope(OPERATOR, org.slug) as scope:
        row = DbtManifest(files_digest="x", manifest=manifest, packed="", selections=selections)
        scope.session.add(row)
        await scope.touch_config()


@pytest.fixture
async def published(org: OrgOut, manifest: dict[str, Any]) -> OrgOut:
    """An org with the pipelines `shop` (with dbt models) and `crm`, published."""
    await add_pipeline(org, "shop", "orders", "customers")
    await add_pipeline(org, "crm", "deals")
    await add_manifest(org, manifest, shop=list(manifest["nodes"]))
    await snapshots.publish(org.id, encode)
    return org
