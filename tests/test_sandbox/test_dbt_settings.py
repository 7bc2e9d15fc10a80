"""What project.yml may set, what it may not, and that dbt goes by it; packages for tenants."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_paths, dbt_settings
from tests.test_sandbox.dbt_tenant import Tenant

SETTINGS = """
vars: {country: DE, limits: {low: 1}}
models:
  marts:
    finance: {+materialized: view, +tags: [money], +schema: staging}
seeds: {+column_types: {code: varchar(2)}}
"""
REFUSED = {
    "on-run-start: [drop]": "has other parts than vars",
    "[a]": "has other parts than vars",
    "a: [b: c": "is not YAML",
    "vars: {etlfabric_prefix: x}": "vars.etlfabric_prefix is not a name",
    "vars: {1: x}": "vars.1 is not a name",
    "vars: {a: '{{ target.password }}'}": "vars.a holds Jinja",
    "vars: x": "vars is not a mapping",
    "models: {+pre-hook: select 1}": "models.+pre-hook cannot be set",
    "models: {marts: {+materialized: materialized_view}}": "cannot be set to 'materialized_view'",
    "models: {marts: {+database: other}}": "models.marts.+database cannot be set",
    "models: {marts: {+tags: '{{ env_var() }}'}}": "models.marts.+tags cannot be set",
    "models: {../x: {}}": "models.../x is no folder's name",
    "models: {marts: table}": "models.marts is not a folder",
}


@pytest.mark.parametrize(("content", "why"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_the_platforms_is_refused_by_its_place(content: str, why: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        dbt_paths.check(dbt_settings.PATH, content)
    assert why in refused.value.message
    assert refused.value.remedy


def test_platforms_own_settings_stay_where_nothing_is_set() -> None:
    base = {"name": "tenant", "models": {"tenant": {"staging": {"+materialized": "view"}}}}
    made = dbt_settings.apply(base, dbt_settings.read(SETTINGS))
    assert made["models"]["tenant"]["staging"] == {"+materialized": "view"}
    assert made["models"]["tenant"]["marts"]["finance"]["+tags"] == ["money"]
    assert base["models"]["tenant"].keys() == {"staging"}


def test_build_goes_by_variables_and_folders(tenant: Tenant) -> None:
    files = {
        "project.yml": SETTINGS,
        "marts/finance/ledger.sql": "select '{{ var(\"country\") }}' as country, code from"
        " {{ ref('countries') }}",
        "seeds/countries.csv": "code\nde\n",
    }
    parsed = tenant.parse(files, "tag:money")
    assert parsed.error is None
    assert parsed.payload["selected"] == {"tag:money": ["model.tenant.ledger"]}
    assert tenant.build(files).error is None
    found = tenant.sql(f"select country, code from {tenant.warehouse.staging}.ledger")
    assert found == [("DE", "de")]
    kinds = tenant.sql(
        "select relkind::text from pg_class where oid = %s::regclass",
        f"{tenant.warehouse.staging}.ledger",
    )
    assert kinds == [("v",)]


def test_dbt_utils_serves_models_and_tests(tenant: Tenant) -> None:
    files = {
        "marts/days.sql": "{{ dbt_utils.date_spine('day', \"date '2026-01-01'\","
        " \"date '2026-01-04'\") }}",
        "marts/keys.sql": "select {{ dbt_utils.generate_surrogate_key(['date_day']) }} as key,"
        " {{ dbt_utils.star(ref('days')) }} from {{ ref('days') }}",
        "marts/schema.yml": """
models:
  - name: keys
    data_tests:
      - dbt_utils.unique_combination_of_columns:
          arguments: {combination_of_columns: [key, date_day]}
      - dbt_utils.expression_is_true: {arguments: {expression: "date_day < '2026-01-03'"}}
""",
    }
    answer = tenant.build(files)
    assert len(tenant.marts("keys")) == 3
    statuses = {name: node.result.status for name, node in answer.nodes.items()}
    assert [s for n, s in statuses.items() if n.startswith("dbt_utils_unique")] == ["pass"]
    assert [s for n, s in statuses.items() if n.startswith("dbt_utils_expression")] == ["fail"]
