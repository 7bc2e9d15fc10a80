"""dbt builds against a real PostgreSQL, as a login without TEMP."""

from __future__ import annotations

from etlfabric_dagster.schemas.jobs import TransformJob
from tests.test_sandbox.dbt_tenant import Tenant, project

SOURCES = """
version: 2
sources:
  - name: raw
    schema: "{{ var('etlfabric_prefix') }}_raw"
    tables: [{name: shop__orders}]
"""
STG = "select id, amount, status from {{ source('raw', 'shop__orders') }}"
BASE = {"staging/_sources.yml": SOURCES, "staging/stg_orders.sql": STG}


def _orders(tenant: Tenant, rows: str = "(1, 10, 'paid'), (2, 20, 'open')") -> None:
    tenant.raw("shop__orders", "id bigint, amount numeric(12,2), status text", rows)


def test_build_makes_staging_views_and_mart_tables(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {"marts/revenue.sql": "select sum(amount) as total from {{ ref('stg_orders') }}"}
    answer = tenant.build(files)
    assert answer.error is None
    assert {n: e.result.status for n, e in answer.nodes.items()} == {
        "stg_orders": "success",
        "revenue": "success",
    }
    assert answer.nodes["revenue"].result.rows == 1
    kinds = dict(
        tenant.sql(
            "select relnamespace::regnamespace::text || '.' || relname, relkind::text from pg_class"
            " where relname in ('stg_orders', 'revenue')"
        )
    )
    assert kinds == {
        f"{tenant.warehouse.staging}.stg_orders": "v",
        f"{tenant.warehouse.marts}.revenue": "r",
    }
    assert tenant.marts("revenue")[0][0] == 30


def test_build_with_packed_manifest_and_unique_ids_runs_only_those(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {
        "marts/a.sql": "select 1 as id",
        "marts/b.sql": "select 2 as id from {{ ref('a') }}",
        "seeds/countries.csv": "code,name\nde,Germany\n",
    }
    parsed = tenant.parse(files, "countries")
    packed = parsed.payload["packed"]
    answer = tenant.build(
        files, "model.tenant.a", *parsed.payload["selected"]["countries"], packed=packed
    )
    assert set(answer.nodes) == {"a", "countries"}
    assert tenant.marts("countries") == [("de", "Germany")]


def test_failed_test_counts_rows_and_skips_what_is_downstream(tenant: Tenant) -> None:
    _orders(tenant, "(1, 10, 'paid'), (1, 20, 'open')")
    files = BASE | {
        "staging/schema.yml": (
            "version: 2\nmodels:\n  - name: stg_orders\n"
            "    columns: [{name: id, data_tests: [unique]}]\n"
        ),
        "marts/revenue.sql": "select sum(amount) as total from {{ ref('stg_orders') }}",
    }
    answer = tenant.build(files)
    assert answer.payload == {"ok": False, "counts": {"success": 1, "fail": 1, "skipped": 1}}
    failed = answer.nodes["unique_stg_orders_id"].result
    assert failed.failures == 1
    assert failed.message == "Test unique on stg_orders.id failed: 1 row does not pass."
    assert "count(*)" in (failed.compiled_sql or "")
    assert answer.nodes["revenue"].result.status == "skipped"


def test_sql_error_names_the_line_and_the_column_that_was_meant(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {
        "marts/daily_orders.sql": "select\n  id,\n  amout\nfrom {{ ref('stg_orders') }}"
    }
    answer = tenant.build(files)
    failed = answer.nodes["daily_orders"].result
    assert failed.status == "error"
    assert failed.message == (
        "marts/daily_orders.sql, line 3: column “amout” does not exist. Did you mean “amount”?"
    )
    assert "stg_orders" in (failed.compiled_sql or "")


INCREMENTAL = """
{{ config(materialized='incremental', unique_key='id') }}
select id, amount from {{ ref('stg_orders') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) - 1 {% endif %}
"""


def test_incremental_model_merges_new_rows_and_leaves_no_table_behind(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {"marts/facts.sql": INCREMENTAL}
    assert tenant.build(files).payload["ok"]
    tenant.sql(f"update {tenant.warehouse.raw}.shop__orders set amount = 99 where id in (1, 2)")
    tenant.sql(f"insert into {tenant.warehouse.raw}.shop__orders values (3, 30, 'paid')")
    answer = tenant.build(files)
    assert answer.payload["ok"], answer.nodes["facts"].result.message
    assert answer.nodes["facts"].result.rows == 2
    assert [tuple(map(int, row)) for row in tenant.marts("facts")] == [(1, 10), (2, 99), (3, 30)]
    assert _relations(tenant) == ["facts", "stg_orders"]
    assert tenant.build(files, full=True).payload["ok"]
    assert [int(row[1]) for row in tenant.marts("facts")] == [99, 99, 30]
    assert _relations(tenant) == ["facts", "stg_orders"]


def test_incremental_model_that_fails_leaves_the_old_rows_and_no_table(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {"marts/facts.sql": INCREMENTAL}
    assert tenant.build(files).payload["ok"]
    broken = BASE | {"marts/facts.sql": INCREMENTAL.replace("amount", "amount / 0 as amount")}
    answer = tenant.build(broken)
    assert answer.nodes["facts"].result.status == "error"
    assert len(tenant.marts("facts")) == 2
    assert _relations(tenant) == ["facts", "stg_orders"]


def test_incremental_model_takes_a_new_column_with_append_new_columns(tenant: Tenant) -> None:
    _orders(tenant)
    head = (
        "{{ config(materialized='incremental', unique_key='id',"
        " on_schema_change='append_new_columns') }}"
    )
    before = f"{head} select id from {{{{ ref('stg_orders') }}}}"
    after = f"{head} select id, status from {{{{ ref('stg_orders') }}}}"
    assert tenant.build(BASE | {"marts/facts.sql": before}).payload["ok"]
    answer = tenant.build(BASE | {"marts/facts.sql": after})
    assert answer.payload["ok"], answer.nodes["facts"].result.message
    assert tenant.marts("facts", "id, status") == [(1, "paid"), (2, "open")]


def test_table_becomes_view_and_view_becomes_table(tenant: Tenant) -> None:
    for materialized in ("table", "view", "table", "incremental", "view", "incremental"):
        model = f"{{{{ config(materialized='{materialized}', unique_key='id') }}}} select 1 as id"
        answer = tenant.build({"marts/shape.sql": model})
        assert answer.payload["ok"], (materialized, answer.nodes["shape"].result.message)
        assert tenant.marts("shape") == [(1,)]
    assert _relations(tenant) == ["shape"]


SNAPSHOT = """
{% snapshot order_history %}
{{ config(unique_key='id', strategy='check', check_cols=['status']) }}
select id, status from {{ source('raw', 'shop__orders') }}
{% endsnapshot %}
"""


def test_snapshot_keeps_history_and_leaves_no_table_behind(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {"snapshots/order_history.sql": SNAPSHOT}
    assert tenant.build(files).payload["ok"]
    tenant.sql(f"update {tenant.warehouse.raw}.shop__orders set status = 'paid' where id = 2")
    answer = tenant.build(files)
    assert answer.payload["ok"], answer.nodes["order_history"].result.message
    rows = tenant.sql(
        f"select id, status, dbt_valid_to is null from {tenant.warehouse.marts}.order_history"
        " order by id, dbt_valid_from"
    )
    assert rows == [(1, "paid", True), (2, "open", False), (2, "paid", True)]
    assert _relations(tenant) == ["order_history", "stg_orders"]


UNIT = """
version: 2
unit_tests:
  - name: doubles
    model: doubled
    given: [{input: ref('stg_orders'), rows: [{id: 1, amount: 2}]}]
    expect: {rows: [{id: 1, amount: EXPECTED}]}
"""


def test_unit_tests_run_before_the_model_and_a_failing_one_skips_it(tenant: Tenant) -> None:
    _orders(tenant)
    files = BASE | {"marts/doubled.sql": "select id, id * 4 as amount from {{ ref('stg_orders') }}"}
    good = tenant.build(files | {"marts/unit.yml": UNIT.replace("EXPECTED", "4")})
    assert good.nodes["doubles"].result.status == "pass"
    bad = tenant.build(files | {"marts/unit.yml": UNIT.replace("EXPECTED", "5")})
    assert bad.nodes["doubles"].result.status == "fail"
    assert bad.nodes["doubled"].result.status == "skipped"
    assert _relations(tenant) == ["doubled", "stg_orders"]


def test_custom_schemas_never_lead_outside_staging_and_marts(tenant: Tenant) -> None:
    answer = tenant.build(
        {
            "marts/a.sql": "{{ config(schema='public') }} select 1 as id",
            "marts/b.sql": "{{ config(schema='staging') }} select 1 as id",
            "staging/c.sql": "{{ config(schema='finance', database='other') }} select 1 as id",
        }
    )
    assert answer.payload["ok"], answer.nodes
    found = dict(
        tenant.sql(
            "select relname, relnamespace::regnamespace::text from pg_class"
            " where relname in ('a', 'b', 'c')"
        )
    )
    w = tenant.warehouse
    assert found == {"a": w.marts, "b": w.staging, "c": w.marts}


def test_saved_query_and_empty_selection_are_not_failures(tenant: Tenant) -> None:
    assert tenant.build({}).payload == {"ok": True, "counts": {}}


def test_stale_unique_id_is_refused(tenant: Tenant) -> None:
    answer = tenant.build({"marts/a.sql": "select 1 as id"}, "model.tenant.gone")
    assert answer.error is not None
    assert "model.tenant.gone is not part of the dbt project any more" in answer.error.message


def _relations(tenant: Tenant) -> list[str]:
    w = tenant.warehouse
    return [
        row[0]
        for row in tenant.sql(
            "select relname from pg_class where relkind in ('r', 'v') and "
            f"relnamespace in ('{w.staging}'::regnamespace, '{w.marts}'::regnamespace) order by 1"
        )
    ]


def test_refused_login_is_one_clear_error_without_the_password(tenant: Tenant) -> None:
    wrong = tenant.warehouse.model_copy(update={"password": "wrong-password"})
    job = TransformJob(project=project({"marts/a.sql": "select 1 as id"}), warehouse=wrong)
    answer = tenant.run(job)
    assert answer.error is not None
    assert answer.error.code == "sandbox"
    assert "refused the login" in answer.error.message
    assert "wrong-password" not in answer.error.message
    assert answer.error.remedy
