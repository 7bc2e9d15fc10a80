"""Generated staging: exact columns, stable names, tests that the load promises."""

from __future__ import annotations

import yaml

from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema
from etlfabric_dagster.services import staging
from etlfabric_dagster.services.staging import StagingTable


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
