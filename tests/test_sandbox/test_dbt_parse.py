"""Parsing: a manifest, or one clear error that names file, line and remedy."""

from __future__ import annotations

import json
import tempfile

import pytest

from tests.test_sandbox.dbt_tenant import Tenant

GOOD = {
    "staging/stg_orders.sql": "select 1 as id, 2 as amount",
    "staging/schema.yml": (
        "version: 2\nmodels:\n  - name: stg_orders\n"
        "    columns: [{name: id, data_tests: [unique]}]\n"
    ),
    "marts/daily_orders.sql": "select * from {{ ref('stg_orders') }}",
    "seeds/countries.csv": "code\nde\n",
}


def test_parse_answers_manifest_packed_and_selections(tenant: Tenant) -> None:
    answer = tenant.parse(GOOD, "stg_orders+", "daily_orders", "countries daily_orders")
    assert answer.error is None
    assert answer.payload["selected"] == {
        "stg_orders+": [
            "model.tenant.daily_orders",
            "model.tenant.stg_orders",
            next(n for n in answer.payload["manifest"]["nodes"] if n.startswith("test.")),
        ],
        "daily_orders": ["model.tenant.daily_orders"],
        "countries daily_orders": ["model.tenant.daily_orders", "seed.tenant.countries"],
    }


def test_pruned_manifest_is_small_and_names_no_folder_of_this_machine(tenant: Tenant) -> None:
    manifest = tenant.parse(GOOD).payload["manifest"]
    text = json.dumps(manifest)
    assert len(text) < 60_000
    assert tempfile.gettempdir() not in text
    assert manifest["macros"] == {}
    assert manifest["nodes"]["model.tenant.daily_orders"]["schema"] == tenant.warehouse.marts
    assert manifest["child_map"]["model.tenant.stg_orders"]


REFUSED = {
    "missing ref": (
        {"marts/a.sql": "select 1\nfrom {{ ref('stg_order') }}"},
        "marts/a.sql, line 2: there is no model “stg_order”. Did you mean “stg_orders”?",
        "Correct the ref in marts/a.sql, line 2.",
    ),
    "missing source": (
        {
            "marts/a.sql": "select 1 from {{ source('raw', 'shop__order') }}",
            "staging/_sources.yml": "sources: [{name: raw, tables: [{name: shop__orders}]}]",
        },
        "marts/a.sql, line 1: source “raw” has no table “shop__order”."
        " Did you mean “shop__orders”?",
        "Correct marts/a.sql, line 1, or load that stream first.",
    ),
    "jinja": (
        {"marts/a.sql": "select 1,\n  {{ 1 + }}\nfrom t"},
        "marts/a.sql, line 2: ",
        "Correct marts/a.sql, line 2.",
    ),
    "unclosed block": (
        {"marts/a.sql": "{% if true %}\nselect 1"},
        "marts/a.sql",
        "Correct marts/a.sql",
    ),
    "unknown macro": (
        {
            "macros/m.sql": "{% macro cents(x) %}{{ x }}{% endmacro %}",
            "marts/a.sql": "select\n{{ cent(1) }}",
        },
        "marts/a.sql, line 2: “cent” is not a macro or function of this project."
        " Did you mean “cents”?",
        "Correct marts/a.sql, line 2, or put the macro under macros/",
    ),
    "package": (
        {"marts/a.sql": "select {{ dbt_date.today() }}"},
        "marts/a.sql, line 1: “dbt_date” is not",
        "packages are not available",
    ),
    "yaml": (
        {"marts/schema.yml": "version: 2\nmodels:\n  - name: a\n   columns: []\n"},
        "marts/schema.yml, line 4",
        "Correct marts/schema.yml, line 4.",
    ),
    "circle": (
        {
            "marts/a.sql": "select * from {{ ref('b') }}",
            "marts/b.sql": "select * from {{ ref('a') }}",
        },
        "These models need each other, so none can be built first: ",
        "Remove one of these references",
    ),
    "itself": (
        {"marts/a.sql": "select * from {{ ref('a') }}"},
        "These models need each other, so none can be built first: a → a.",
        "Remove one of these references",
    ),
    "duplicate model": (
        {"staging/daily_orders.sql": "select 1 as id"},
        "Two models are called 'daily_orders': marts/daily_orders.sql and"
        " staging/daily_orders.sql.",
        "Rename or delete one of them",
    ),
    "case": (
        {"marts/Daily_orders.sql": "select 1 as id"},
        "differ only in case",
        "Rename marts/Daily_orders.sql.",
    ),
    "platform macro": (
        {"macros/s.sql": "{% macro generate_schema_name(a, b) %}public{% endmacro %}"},
        "macros/s.sql: the macro 'generate_schema_name' is the platform's",
        "Remove generate_schema_name from macros/s.sql.",
    ),
    "hook": (
        {"marts/a.sql": "{{ config(post_hook='grant all') }} select 1 as id"},
        "marts/a.sql: pre_hook and post_hook are not available here",
        "Remove the hooks of a",
    ),
    "env_var": (
        {"marts/a.sql": "select '{{ env_var('HOME') }}'"},
        "marts/a.sql, line 1: there is no environment variable “HOME”",
        "give env_var a default",
    ),
    "variable": (
        {"marts/a.sql": "select {{ var('given', 1) }},\n {{ var('start') }}"},
        "marts/a.sql, line 2: the variable “start” has no value here.",
        "Give it a default: var('start', …).",
    ),
    "unknown test": (
        {
            "marts/x.yml": "models: [{name: a, columns: [{name: b, data_tests: [uniqe]}]}]",
            "marts/a.sql": "select 1 as b",
        },
        "marts/x.yml, line 1: “uniqe” is not a test of this project. Did you mean “unique”?",
        "Correct marts/x.yml, line 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_project_that_does_not_compile_is_one_clear_error(tenant: Tenant, case: str) -> None:
    files, said, remedy = REFUSED[case]
    error = tenant.parse(GOOD | files).error
    assert error is not None
    assert error.code == "transform"
    assert said in error.message, error.message
    assert remedy in error.remedy, error.remedy
    assert "/tmp" not in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize("selector", ["path:../..//", "wrong_method:x", "1+2+3+"])
def test_selector_that_cannot_be_read_is_named(tenant: Tenant, selector: str) -> None:
    answer = tenant.parse(GOOD, selector)
    if answer.error is None:
        assert answer.payload["selected"] == {selector: []}
    else:
        assert selector in answer.error.message


def test_parse_cost_stays_flat(tenant: Tenant) -> None:
    """30 models and 40 tests many times: a parse that may hang after the fork would show here."""
    files = {f"staging/stg_{n}.sql": f"select {n} as id" for n in range(20)}
    files |= {f"marts/m_{n}.sql": f"select * from {{{{ ref('stg_{n}') }}}}" for n in range(10)}
    for _ in range(5):
        assert tenant.parse(files).error is None
