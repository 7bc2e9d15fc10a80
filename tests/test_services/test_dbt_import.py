"""Where the files of an imported project go."""

from __future__ import annotations

import yaml

from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.services import dbt_import


def plan(*paths: str, content: bytes = b"select 1", known=()):
    made = dbt_import.plan(dict.fromkeys(paths, content), known)
    return made.taken, made.report()


def test_models_go_to_staging_or_marts_by_folder_and_name():
    taken, _ = plan(
        "models/staging/stg_a.sql",
        "models/marts/finance/b.sql",
        "models/core/c.sql",
        "models/stg_d.sql",
        "macros/m.sql",
        "seeds/s.csv",
    )
    assert set(taken) == {
        "staging/stg_a.sql",
        "marts/finance/b.sql",
        "marts/core/c.sql",
        "staging/stg_d.sql",
        "macros/m.sql",
        "seeds/s.csv",
    }


def test_what_is_left_says_why():
    taken, report = plan("dbt_project.yml", "README.md", "scripts/x.py", "models/a.sql")
    assert set(taken) == {"marts/a.sql"}
    assert len(report.skipped) == 3


def test_two_files_for_one_place_are_not_merged_silently():
    taken, report = plan("models/a.sql", "models/marts/a.sql")
    assert set(taken) == {"marts/a.sql"}
    assert "already" in report.skipped[0]


def test_override_of_the_platforms_schemas_is_skipped():
    taken, report = plan(
        "macros/g.sql", content=b"{% macro generate_schema_name(a, b) %}x{% endmacro %}"
    )
    assert not taken
    assert "platform's" in report.skipped[0]


def test_file_that_is_not_text_is_skipped():
    taken, report = plan("models/a.sql", content=b"\xff\xfe\x00")
    assert not taken
    assert report.skipped


def test_replaced_file_is_told():
    known = (DbtFile(path="marts/a.sql", content="", origin=DbtOrigin.TENANT),)
    _, report = plan("models/a.sql", known=known)
    assert any("replaces" in line for line in report.changed)


SOURCES = b"""
sources:
  - name: jaffle
    schema: public
    database: prod
    tables:
      - name: orders
      - name: Line Items
        data_tests: [dbt_utils.at_least_one]
      - name: unknown
models:
  - name: a
    data_tests:
      - dbt_utils.unique_combination_of_columns: {combination_of_columns: [x, y]}
      - elementary.volume_anomalies: {}
      - unique_together: {arguments: {columns: [x, y]}}
"""
TABLES = {"shop__orders": "orders", "shop__line_items": "line_items", "crm__orders": "contacts"}


def test_sources_become_the_tenants_raw_tables_by_name():
    made = dbt_import.plan(
        {
            "models/a.sql": b"select * from {{ source(\"jaffle\", 'orders') }}",
            "models/b.sql": b"select * from {{ source('jaffle','unknown') }}",
            "models/sources.yml": SOURCES,
        },
        (),
        TABLES,
    )
    assert made.taken["marts/a.sql"] == "select * from {{ source('raw', 'shop__orders') }}"
    assert made.taken["marts/b.sql"] == "select * from {{ source('jaffle','unknown') }}"
    (source,) = yaml.safe_load(made.taken["marts/sources.yml"])["sources"]
    assert source == {
        "name": "jaffle",
        "schema": "{{ var('etlfabric_prefix') }}_raw",
        "tables": [{"name": "unknown"}],
    }
    told = made.report().changed
    assert "models/sources.yml: source jaffle.orders is read from raw.shop__orders" in told
    assert any("jaffle.Line Items is read from raw.shop__line_items" in line for line in told)


def test_tests_of_packages_are_left_out_and_others_stay():
    made = dbt_import.plan({"models/s.yml": SOURCES}, (), TABLES)
    (model,) = yaml.safe_load(made.taken["marts/s.yml"])["models"]
    assert [next(iter(test)) for test in model["data_tests"]] == [
        "dbt_utils.unique_combination_of_columns",
        "unique_together",
    ]
    assert any("elementary.volume_anomalies" in line for line in made.changed)


PROJECT = b"""
name: jaffle
on-run-start: [select 1]
vars: {start: '2026-01-01', jaffle: {country: DE}, now: "{{ run_started_at }}"}
models:
  jaffle:
    materialized: table
    staging: {+materialized: view, +schema: stg}
    marts:
      finance: {+tags: [money], +persist_docs: {relation: true}}
    core: {enabled: true}
  other_package: {+enabled: false}
seeds: {jaffle: {lookups: {+column_types: {zip: varchar(5)}}}}
"""


def test_variables_and_settings_per_folder_become_the_orgs_own():
    made = dbt_import.plan({"dbt_project.yml": PROJECT}, ())
    assert yaml.safe_load(made.taken["project.yml"]) == {
        "vars": {"start": "2026-01-01", "country": "DE"},
        "models": {
            "staging": {"+materialized": "view", "+schema": "stg"},
            "marts": {
                "+materialized": "table",
                "finance": {"+tags": ["money"]},
                "core": {"+enabled": True},
            },
        },
        "seeds": {"lookups": {"+column_types": {"zip": "varchar(5)"}}},
    }
    (left,) = made.skipped
    assert left.startswith("dbt_project.yml: the rest is the platform's; left out: on-run-start, ")
    assert "variable now" in left
    assert "models.marts.finance persist_docs" in left


def test_models_that_need_dbt_utils_are_taken_and_of_other_packages_not():
    files = {
        "packages.yml": b"packages: [{package: dbt-labs/dbt_utils, version: 1.1.1}]",
        "models/a.sql": b"select {{ dbt_utils.generate_surrogate_key(['x']) }} as k",
        "models/b.sql": b"{{ dbt_date.get_date_dimension('a', 'b') }}",
    }
    made = dbt_import.plan(files, ())
    assert set(made.taken) == {"marts/a.sql"}
    assert "packages.yml: the platform brings dbt_utils" in made.skipped


def test_name_that_fits_two_streams_is_not_guessed():
    tables = {"a__orders": "orders", "b__orders": "orders"}
    made = dbt_import.plan({"models/s.yml": SOURCES}, (), tables)
    assert any("jaffle.orders is not loaded yet" in line for line in made.changed)
    own = dbt_import.plan({"models/s.yml": SOURCES}, (), tables | {"jaffle__orders": "orders"})
    assert any("jaffle.orders is read from raw.jaffle__orders" in line for line in own.changed)


def test_what_refers_to_a_file_that_is_left_out_is_left_out_too():
    made = dbt_import.plan(
        {
            "models/a.sql": b"{{ config(pre_hook='x') }} select 1",
            "models/b.sql": b"select * from {{ ref('a') }}",
            "models/c.sql": b"select * from {{ ref('jaffle', 'b') }}",
            "models/d.sql": b"select 1",
        },
        (),
    )
    assert set(made.taken) == {"marts/d.sql"}
    assert [line.split(":")[0] for line in made.skipped] == [
        "models/a.sql",
        "models/b.sql",
        "models/c.sql",
    ]


def test_generated_sources_are_never_replaced():
    made = dbt_import.plan({"models/staging/_sources.yml": SOURCES}, ())
    assert set(made.taken) == {"staging/_sources_import.yml"}


def test_yaml_that_is_none_stays_for_the_parser_to_name():
    made = dbt_import.plan({"models/s.yml": b"a: [b: c: d"}, ())
    assert made.taken == {"marts/s.yml": "a: [b: c: d"}
