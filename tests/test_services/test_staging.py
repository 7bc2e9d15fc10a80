"""Generated staging: exact columns, stable names, tests that the load promises."""

from __future__ import annotations

import psycopg
import yaml

from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.schemas.jobs import DbtProject, NodeEvent, TransformJob, Warehouse
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema
from etlfabric_dagster.services import staging
from etlfabric_dagster.services.staging import StagingTable
from etlfabric_dagster.testing import SandboxServer


def table(name="shop__orders", stream="orders", **fields) -> TableSchema:
    columns = fields.pop("columns", ("id", "amount", "_dlt_load_id", "_dlt_id"))
    return TableSchema(
        table=name,
        stream=stream,
        primary_key=fields.pop("key", ("id",)),
        columns=tuple(ColumnInfo(name=c, type="text", nullable=c != "id") for c in columns),
        **fields,
    )


def generate(*tables: TableSchema, known=None, taken=(), prefix="shop__"):
    listed = [StagingTable(t, t.table.removeprefix(prefix)) for t in tables]
    return {file.path: file.content for file in staging.generate(listed, known or {}, taken)}


def properties(files, model):
    models = yaml.safe_load(files[staging.PROPERTIES_PATH])["models"]
    return next(entry for entry in models if entry["name"] == model)


def test_model_names_its_columns_and_leaves_bookkeeping_out():
    sql = generate(table())["staging/stg_orders.sql"]
    assert '"id",\n    "amount",\n    "_dlt_load_id"\n' in sql
    assert '"_dlt_id"' not in sql
    assert "{{ source('raw', 'shop__orders') }}" in sql


def test_key_is_tested_unless_the_mode_keeps_versions():
    columns = properties(generate(table()), "stg_orders")["columns"]
    assert columns[0]["data_tests"] == ["not_null", "unique"]
    versions = properties(generate(table(mode=LoadMode.SCD2)), "stg_orders")["columns"]
    assert versions[0]["data_tests"] == ["not_null"]


def test_composite_key_is_tested_together():
    model = properties(generate(table(key=("id", "amount"))), "stg_orders")
    (test,) = model["data_tests"]
    assert test["unique_together"]["arguments"]["columns"] == ["id", "amount"]


def test_child_table_refers_to_its_parent():
    child = table(
        "shop__orders__items",
        parent="shop__orders",
        key=(),
        columns=("sku", "_dlt_id", "_dlt_parent_id"),
    )
    files = generate(table(), child)
    assert '"_dlt_id"' in files["staging/stg_orders.sql"]
    columns = properties(files, "stg_orders__items")["columns"]
    relation = next(c for c in columns if c["name"] == "_dlt_parent_id")["data_tests"][0]
    assert relation["relationships"]["arguments"]["to"] == "ref('stg_orders')"


def test_second_stream_of_a_name_gets_the_table_in_its_name():
    other = StagingTable(table("crm__orders"), "orders")
    first = StagingTable(table("shop__orders"), "orders")
    paths = {file.path for file in staging.generate([first, other], {}, ())}
    assert {"staging/stg_orders.sql", "staging/stg_shop__orders.sql"} <= paths


def test_name_once_given_stays():
    files = staging.generate([StagingTable(table("shop__orders"), "orders")], {}, ())
    known = staging.known_names(files)
    assert known == {"shop__orders": "stg_orders"}
    both = [
        StagingTable(table("a__orders"), "orders"),
        StagingTable(table("shop__orders"), "orders"),
    ]
    names = staging.known_names(staging.generate(both, known, ()))
    assert names == {"shop__orders": "stg_orders", "a__orders": "stg_a__orders"}


def test_name_of_a_tenants_own_model_is_not_taken():
    assert "staging/stg_shop__orders.sql" in generate(table(), taken=["stg_orders"])


def test_history_tells_which_version_is_current():
    columns = ("id", "_dlt_valid_from", "_dlt_valid_to")
    sql = generate(table(mode=LoadMode.SCD2, columns=columns))["staging/stg_orders.sql"]
    assert '"_dlt_valid_to" is null as is_current' in sql


def test_hostile_stream_and_column_names_stay_quoted():
    hostile = table(stream='x"}}{{ boom }}\n*/', columns=('we"ird', "select"))
    sql = generate(hostile)["staging/stg_orders.sql"]
    assert '"we""ird"' in sql
    assert "boom" not in sql


def test_same_tables_give_the_same_files():
    assert generate(table()) == generate(table())


def test_nothing_is_generated_for_nothing():
    assert staging.generate([], {}, ()) == ()


def test_tenants_copy_keeps_its_name():
    copy = DbtFile(
        path="staging/stg_orders.sql",
        content="select 1 from {{ source('raw', 'shop__orders') }}",
        origin=DbtOrigin.TENANT,
    )
    assert staging.known_names([copy]) == {"shop__orders": "stg_orders"}


HOSTILE_DDL = """
create table {raw}.shop__orders (
  id bigint not null, "Größe" numeric(38,10), "select" text, "we""ird" jsonb, "a b" text[],
  at timestamptz, blob bytea, mood {raw}.mood, _dlt_load_id text, _dlt_id text
);
insert into {raw}.shop__orders values
  (1, 1.0000000001, 's', '{{"a": 1.10}}', array['x', null], 'infinity', '\\xff', 'ok', 'l1', 'r1');
create table {raw}.shop__orders__items (
  sku text, _dlt_id text, _dlt_parent_id text, _dlt_list_idx bigint
);
insert into {raw}.shop__orders__items values ('a', 'c1', 'r1', 0), ('b', 'c2', 'gone', 1);
create table {raw}.shop__rates (day date not null, currency text not null, rate numeric);
insert into {raw}.shop__rates values ('2026-01-01', 'EUR', 1), ('2026-01-01', 'EUR', 2);
create table {raw}.shop__prices (
  id bigint, price numeric, _dlt_valid_from timestamptz, _dlt_valid_to timestamptz
);
insert into {raw}.shop__prices values
  (1, 5, '2026-01-01', '2026-02-01'), (1, 6, '2026-02-01', null);
"""


def loaded(conn: psycopg.Connection, raw: str) -> list[StagingTable]:
    """The raw tables as a load describes them."""
    keys = {"shop__rates": ("day", "currency"), "shop__orders__items": ()}
    found = []
    for name in ("shop__orders", "shop__orders__items", "shop__prices", "shop__rates"):
        rows = conn.execute(
            "select attname, format_type(atttypid, atttypmod), not attnotnull from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 order by attnum",
            (f"{raw}.{name}",),
        )
        schema = TableSchema(
            table=name,
            stream=name.removeprefix("shop__"),
            parent="shop__orders" if name == "shop__orders__items" else None,
            primary_key=keys.get(name, ("id",)),
            mode=LoadMode.SCD2 if name == "shop__prices" else LoadMode.MERGE,
            columns=tuple(ColumnInfo(name=n, type=t, nullable=null) for n, t, null in rows),
        )
        found.append(StagingTable(schema, schema.stream))
    return found


def test_generated_staging_builds_and_its_tests_find_what_is_wrong(
    warehouse: Warehouse, sandbox: SandboxServer
) -> None:
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
        autocommit=True,
    ) as conn:
        conn.execute(f"create type {warehouse.raw}.mood as enum ('ok', 'sad')")
        conn.execute(HOSTILE_DDL.format(raw=warehouse.raw))
        files = staging.generate(loaded(conn, warehouse.raw), {})
        job = TransformJob(project=DbtProject(files=files), warehouse=warehouse)
        with sandbox.client.call(job) as call:
            nodes = {event.name: event.result for event in call if isinstance(event, NodeEvent)}
        states = {name: result.status for name, result in nodes.items() if name[:4] == "stg_"}
        assert states == dict.fromkeys(
            ("stg_orders", "stg_orders__items", "stg_prices", "stg_rates"), "success"
        )
        failed = {result.message for result in nodes.values() if result.status == "fail"}
        assert failed == {
            "Test relationships on stg_orders__items._dlt_parent_id failed: 1 row does not pass.",
            "Test unique_together on stg_rates failed: 1 row does not pass.",
        }
        (row,) = conn.execute(f"select t::text from {warehouse.staging}.stg_orders t")
        (same,) = conn.execute(f"select t::text from {warehouse.raw}.shop__orders t")
        assert row == same
        current = conn.execute(
            f"select price, valid_from::date::text from {warehouse.staging}.stg_prices"
            " where is_current"
        ).fetchall()
        assert [(int(price), day) for price, day in current] == [(6, "2026-02-01")]
