"""Previews: a model's rows without building it."""

from __future__ import annotations

from tests.test_sandbox.dbt_tenant import Tenant

FILES = {
    "staging/stg_numbers.sql": "select generate_series(1, 100) as n",
    "marts/doubled.sql": "select n * 2 as n2\nfrom {{ ref('stg_numbers') }} -- all of them",
    "seeds/countries.csv": "code\nde\n",
}


def test_preview_reads_a_model_that_was_never_built(tenant: Tenant) -> None:
    assert tenant.build(FILES, "stg_numbers").payload["ok"]
    answer = tenant.preview(FILES, "marts/doubled.sql", limit=2)
    assert answer.error is None
    assert answer.payload["rows"] == [[2], [4]]
    assert answer.payload["truncated"] is True
    assert "stg_numbers" in answer.payload["compiled_sql"]
    found = tenant.sql("select count(*) from pg_class where relname = 'doubled'")
    assert found == [(0,)]


def test_preview_with_a_packed_manifest_gives_the_same(tenant: Tenant) -> None:
    packed = tenant.parse(FILES).payload["packed"]
    answer = tenant.preview(FILES, "staging/stg_numbers.sql", limit=1, packed=packed)
    assert answer.payload["rows"] == [[1]]


def test_preview_of_a_model_whose_parent_was_never_built_says_so(tenant: Tenant) -> None:
    answer = tenant.preview(FILES, "marts/doubled.sql")
    assert answer.error is not None
    assert "marts/doubled.sql, line 2" in answer.error.message
    assert "Run the pipeline once" in answer.error.remedy


def test_preview_of_an_unknown_path_is_refused(tenant: Tenant) -> None:
    answer = tenant.preview(FILES, "marts/nothing.sql")
    assert answer.error is not None
    assert answer.error.code == "not_found"


def test_preview_names_the_wrong_column(tenant: Tenant) -> None:
    assert tenant.build(FILES, "stg_numbers").payload["ok"]
    files = FILES | {"marts/wrong.sql": "select\n  m\nfrom {{ ref('stg_numbers') }}"}
    answer = tenant.preview(files, "marts/wrong.sql")
    assert answer.error is not None
    assert answer.error.message == "marts/wrong.sql, line 2: column “m” does not exist."
    assert answer.error.remedy == "Correct marts/wrong.sql, line 2."


def test_preview_of_an_incremental_model_shows_all_rows(tenant: Tenant) -> None:
    model = (
        "{{ config(materialized='incremental') }} select 1 as n"
        " {% if is_incremental() %} where false {% endif %}"
    )
    assert tenant.build({"marts/inc.sql": model}).payload["ok"]
    assert tenant.preview({"marts/inc.sql": model}, "marts/inc.sql").payload["rows"] == [[1]]


def test_preview_of_a_test_shows_the_rows_that_fail(tenant: Tenant) -> None:
    files = FILES | {
        "marts/doubled.yml": "models: [{name: doubled, columns: "
        "[{name: n2, data_tests: [unique]}]}]",
        "marts/doubled.sql": "select 7 as n2 union all select 7",
    }
    assert tenant.build(files, "doubled").payload["ok"] is False
    (unique_id,) = [
        key for key in tenant.parse(files).payload["manifest"]["nodes"] if key.startswith("test.")
    ]
    answer = tenant.preview(files, "marts/doubled.sql", test=unique_id)
    assert answer.payload["rows"] == [[7, 2]]


def test_preview_of_a_test_that_is_none_is_refused(tenant: Tenant) -> None:
    answer = tenant.preview(FILES, "marts/doubled.sql", test="model.tenant.doubled")
    assert answer.error is not None
    assert answer.error.code == "not_found"
