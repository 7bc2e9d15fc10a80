"""Which files a project may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_paths

ALLOWED = [
    ("marts/daily_orders.sql", "model"),
    ("staging/shop/stg_x.sql", "model"),
    ("marts/schema.yml", "properties"),
    ("marts/docs.md", "properties"),
    ("seeds/countries.csv", "seed"),
    ("macros/cents.sql", "macro"),
    ("snapshots/orders.sql", "snapshot"),
    ("tests/generic/positive.sql", "test"),
    ("tests/fixtures/a.csv", "test"),
    ("analyses/a-b.sql", "analysis"),
]
REFUSED = [
    "dbt_project.yml",
    "marts/dbt_project.yml",
    "marts/profiles.yml",
    "seeds/packages.yml",
    "packages.yml",
    "../marts/a.sql",
    "marts/../../etc/passwd.sql",
    "marts//a.sql",
    "/marts/a.sql",
    "marts/.hidden.sql",
    "marts/a.py",
    "macros/a.csv",
    "models/marts/a.sql",
    "platform/schemas.sql",
    "marts/a b.sql",
    "marts/ünïcode.sql",
    "marts/a;drop.sql",
    "marts/a.b.sql",
    "marts/1st.sql",
    "marts/" + "a" * 64 + ".sql",
    "marts/" + "a/" * 120 + "b.sql",
    "marts/",
    "marts",
    "",
    "marts\\a.sql",
    "marts/a.sql\n",
    "marts/a\0.sql",
]


@pytest.mark.parametrize(("path", "kind"), ALLOWED)
def test_allowed_path_has_its_kind(path: str, kind: str) -> None:
    assert dbt_paths.check(path) == path
    assert dbt_paths.kind(path) == kind
    assert dbt_paths.from_disk(dbt_paths.on_disk(path)) == path


@pytest.mark.parametrize("path", REFUSED)
def test_other_path_is_refused_with_an_example(path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        dbt_paths.check(path)
    assert refused.value.remedy
    assert len(refused.value.message) < 300


@given(st.text(max_size=80), st.sampled_from([*dbt_paths.FOLDERS, "", "..", "x"]))
def test_no_path_leads_out_of_the_project(rest: str, folder: str) -> None:
    path = f"{folder}/{rest}"
    try:
        dbt_paths.check(path)
    except InvalidInputError:
        return
    parts = dbt_paths.on_disk(path).split("/")
    assert ".." not in parts
    assert "" not in parts
    assert parts[0] in {"models", *dbt_paths.FOLDERS}
    assert path.isascii()


def test_content_has_a_limit_and_is_text() -> None:
    with pytest.raises(InvalidInputError, match="at most 1,000,000"):
        dbt_paths.check("seeds/a.csv", "x" * (dbt_paths.MAX_FILE_BYTES + 1))
    with pytest.raises(InvalidInputError, match="NUL"):
        dbt_paths.check("marts/a.sql", "select '\0'")
