"""What a REST stream looks like in PostgreSQL once dlt has loaded it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import dlt
import psycopg
import pytest

from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.rest_api import CONNECTOR
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.http_api import Api, http_api


@pytest.fixture
def api() -> Iterator[Api]:
    with http_api() as running:
        yield running


class Warehouse:
    """A schema of its own in the test cluster, loaded by a plain dlt pipeline."""

    def __init__(self, cluster: PostgresCluster, workdir: Path) -> None:
        self.dsn = cluster.dsn()
        self.schema = f"w_{uuid4().hex[:8]}"
        self.state: dict[str, Any] = {}
        login = f"postgres:{cluster.superuser_password}"
        url = f"postgresql://{login}@127.0.0.1:{cluster.port}/postgres"
        self._pipeline = dlt.pipeline(
            self.schema,
            pipelines_dir=str(workdir),
            destination=dlt.destinations.postgres(url),
            dataset_name=self.schema,
        )

    def load(self, config: dict[str, Any], plan: StreamPlan, disposition: str) -> None:
        source = SourceConfig(
            connector="rest_api", config=config, egress=EgressPolicy(allow=("127.0.0.0/8",))
        )
        context = ExtractContext(workdir="", state=self.state)
        (resource,) = CONNECTOR.resources(source, [plan], context)
        self._pipeline.run(resource, write_disposition=disposition).raise_on_failed_jobs()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            connection.execute(f'set search_path to "{self.schema}"')
            return connection.execute(sql).fetchall()


@pytest.fixture
def warehouse(cluster: PostgresCluster, tmp_path: Path) -> Warehouse:
    return Warehouse(cluster, tmp_path)


def config(api: Api) -> dict[str, Any]:
    return {"client": {"base_url": api.url, "paginator": "single_page"}, "resources": ["orders"]}


def plan(**fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": "orders", "table": "s__orders", "mode": LoadMode.FULL, **fields})


def test_records_children_and_deep_values_arrive(api: Api, warehouse: Warehouse) -> None:
    deep: Any = "bottom"
    for _ in range(99):
        deep = [{"a": deep}]
    order = {
        "id": 2**63 - 1,
        "Größe": "'\"\\\t\n😀",
        "select": True,
        "x" * 300: 1,
        "": "no name",
        "user": {"name": "a"},
        "lines": [{"sku": "x", "tags": ["p", "q"]}, {"sku": "y"}],
        "deep": deep,
        "text": "x" * 20_000_000,
        "empty": "",
        "null": None,
    }
    api.serve("/orders", lambda _: [order])
    warehouse.load(config(api), plan(), "replace")
    (row,) = warehouse.rows(
        'select id, groudfe, "select", user__name, unnamed, empty, length(text) from s__orders'
    )
    assert row == (2**63 - 1, "'\"\\\t\n😀", True, "a", "no name", "", 20_000_000)
    assert warehouse.rows("select sku from s__orders__lines order by 1") == [("x",), ("y",)]
    tables = warehouse.rows(
        f"select count(*) from information_schema.tables where table_schema = '{warehouse.schema}'"
    )
    assert tables[0][0] < 15, "200 levels became 200 tables"


def test_merge_keeps_the_newest_of_one_key_and_loses_nothing(
    api: Api, warehouse: Warehouse
) -> None:
    rows = [
        {"id": 1, "updatedAt": "2026-01-02T00:00:00Z", "v": "new"},
        {"id": 1, "updatedAt": "2026-01-01T00:00:00Z", "v": "old"},
    ]
    api.serve("/orders", lambda _: rows)
    merge = plan(mode=LoadMode.MERGE, cursor="updated_at", primary_key=("id",))
    warehouse.load(config(api), merge, "merge")
    assert warehouse.rows("select id, v from s__orders") == [(1, "new")]
    rows.append({"id": 2, "updatedAt": "2026-01-02T00:00:00Z", "v": "late"})
    rows[0]["v"] = "changed in the same second"
    warehouse.load(config(api), merge, "merge")
    assert warehouse.rows("select id, v from s__orders order by id") == [
        (1, "changed in the same second"),
        (2, "late"),
    ]


def test_append_adds_each_row_once(api: Api, warehouse: Warehouse) -> None:
    rows = [{"at": "2026-01-01T00:00:00Z", "n": 1}]
    api.serve("/orders", lambda _: rows)
    append = plan(mode=LoadMode.APPEND, cursor="at")
    for n in (2, 3):
        warehouse.load(config(api), append, "append")
        rows.append({"at": "2026-01-01T00:00:00Z", "n": n})
    warehouse.load(config(api), append, "append")
    assert warehouse.rows("select n from s__orders order by 1") == [(1,), (2,), (3,)]
