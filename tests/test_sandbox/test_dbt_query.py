"""Queries as the read-only login: exact values, one statement, bounded."""

from __future__ import annotations

import json

import pytest

from tests.test_sandbox.dbt_tenant import Tenant

EXACT = [
    ("true", "boolean", True),
    ("9223372036854775807::int8", "bigint", 9223372036854775807),
    ("0.1::float8", "double precision", 0.1),
    ("'NaN'::float8", "double precision", "NaN"),
    ("'-infinity'::float4", "real", "-Infinity"),
    ("1234567890.1234567890::numeric(38,10)", "numeric(38,10)", "1234567890.1234567890"),
    ("'NaN'::numeric", "numeric", "NaN"),
    (
        "'2026-11-22 10:00:00.123456+02'::timestamptz",
        "timestamp with time zone",
        "2026-11-22T08:00:00.123456+00:00",
    ),
    ("'2026-11-22 10:00'::timestamp", "timestamp without time zone", "2026-11-22T10:00:00"),
    ("'infinity'::timestamptz", "timestamp with time zone", "infinity"),
    ("'0044-03-15 BC'::date", "date", "0044-03-15 BC"),
    (r"'\xdeadbeef'::bytea", "bytea", r"\xdeadbeef"),
    ("'{\"a\": 1.10}'::jsonb", "jsonb", '{"a": 1.10}'),
    ("array['a', null, 'b c']", "text[]", '{a,NULL,"b c"}'),
    ("''::text", "text", ""),
    ("null::uuid", "uuid", None),
    ("'1 day 02:00'::interval", "interval", "P1DT2H"),
]


@pytest.mark.parametrize(("expression", "type_name", "value"), EXACT)
def test_value_is_exact_and_json(
    tenant: Tenant, expression: str, type_name: str, value: object
) -> None:
    answer = tenant.query(f"select {expression} as v")
    assert answer.error is None
    assert answer.payload["columns"] == [{"name": "v", "type": type_name, "nullable": True}]
    assert json.loads(json.dumps(answer.payload["rows"])) == [[value]]


def test_query_stops_at_the_limit_and_says_so(tenant: Tenant) -> None:
    answer = tenant.query("select generate_series(1, 1000000000) as n", limit=3)
    assert answer.payload["rows"] == [[1], [2], [3]]
    assert answer.payload["truncated"] is True
    whole = tenant.query("select generate_series(1, 3) as n", limit=3)
    assert whole.payload["truncated"] is False


def test_query_finds_marts_before_raw(tenant: Tenant) -> None:
    tenant.raw("things", "v text", "('raw')")
    assert tenant.query("select v from things").payload["rows"] == [["raw"]]
    assert tenant.build({"marts/things.sql": "select 'mart' as v"}).payload["ok"]
    assert tenant.query("select v from things").payload["rows"] == [["mart"]]


def test_empty_result_still_names_its_columns(tenant: Tenant) -> None:
    answer = tenant.query("select 1 as a, 'x' as b where false")
    assert answer.payload["rows"] == []
    assert [column["name"] for column in answer.payload["columns"]] == ["a", "b"]


REFUSED = [
    ("select 1; select 2", "more than one statement"),
    ("create table t (id int)", "returns no rows"),
    ("select 1 from nowhere", 'relation "nowhere" does not exist'),
    ("selec 1", "syntax error"),
    ("copy (select 1) to program 'id'", "returns no rows"),
    ("copy (select 1) to stdout", "returns no rows"),
    ("select pg_read_file('/etc/passwd')", "permission denied"),
    ("begin", "returns no rows"),
    ("do $$ begin end $$", "returns no rows"),
    ("with w as (insert into x values (1) returning 1) select * from w", "does not exist"),
    ("", "1 to 100,000 characters"),
]


@pytest.mark.parametrize(("sql", "said"), REFUSED)
def test_query_is_refused_with_a_remedy(tenant: Tenant, sql: str, said: str) -> None:
    answer = tenant.query(sql)
    assert answer.error is not None
    assert said in answer.error.message
    assert answer.error.remedy


def test_query_that_takes_too_long_is_stopped(tenant: Tenant) -> None:
    answer = tenant.query("select pg_sleep(20)", timeout_s=0.2)
    assert answer.error is not None
    assert answer.error.message == "Stopped after 0.2 s."
    assert answer.error.remedy == "Filter first, or add a limit."
    assert answer.error.code == "timeout"


def test_query_cannot_lift_its_own_read_only(tenant: Tenant) -> None:
    tenant.build({"marts/things.sql": "select 1 as v"})
    lift = "select set_config('default_transaction_read_only', 'off', false)"
    for sql in (lift, f"with gone as (delete from things returning 1) {lift}, gone.* from gone"):
        tenant.query(sql)
    assert tenant.query("explain select * from things").error is None
    assert tenant.query("show search_path").error is None
    assert tenant.marts("things") == [(1,)]
