"""Where the files of an imported project go."""

from __future__ import annotations

from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.services import dbt_import


def plan(*paths: str, content: bytes = b"select 1", known=()):
    return dbt_import.plan(dict.fromkeys(paths, content), known)


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
